# Time of a batch over its size: batch / throughput, and p50, p95, p99 where enough iterations were measured.
load style
set key at graph 0.02, 0.98 left top vertical maxrows 4*targets Left reverse font ',11' spacing 0.95
set logscale x 2
set logscale y
eval(xticks)
set xrange [xlow:xhigh]
set yrange [mslow:mshigh]
set format y '%g'
eval(yticks)
set xlabel 'batch size (images)' textcolor rgb ink
set ylabel 'time of a batch, service (ms)' textcolor rgb ink
if (slo > 0) set arrow 1 from graph 0, first slo to graph 1, first slo nohead lw 1.5 dt 4 lc rgb warn
if (slo > 0) set label 4 slotext at graph 0.99, first slo right offset character 0, 0.7 font ',11' textcolor rgb warn
eval(legend('ring: the chosen size'))
plot for [i=1:targets] data index i-1 using 1:11 with lines lw lw dt dashes[i] lc rgb colors[i] title names[i].' batch / throughput', \
     for [w in with50] data index id(w)-1 using 1:5 with points pt marks[id(w)] ps ps lc rgb colors[id(w)] title names[id(w)].' p50', \
     for [w in with95] data index id(w)-1 using 1:6 with linespoints pt marks[id(w)] ps 0.6*ps lw 1.6 dt 2 lc rgb colors[id(w)] title names[id(w)].' p95', \
     for [w in with99] data index id(w)-1 using 1:7 with linespoints pt marks[id(w)] ps 0.4*ps lw 1.4 dt 3 lc rgb colors[id(w)] title names[id(w)].' p99', \
     for [w in withchosen] data index id(w)-1 using ($10 == 1 ? $1 : NaN):11 with points pt 6 ps ring lw 2 lc rgb colors[id(w)] notitle
