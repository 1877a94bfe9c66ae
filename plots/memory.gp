# Peak memory over batch size: measured, what the model of memory predicted, and the limit if it is near.
load style
set key at graph 0.02, 0.98 left top vertical maxrows 2*targets Left reverse
set logscale x 2
eval(xticks)
set xrange [xlow:xhigh]
set yrange [0:*]
set offsets 0, 0, graph 0.17*targets, 0 # room for the key above the curves
set xlabel 'batch size (images)' textcolor rgb ink
set ylabel 'peak memory (MiB)' textcolor rgb ink
if (limit > 0) set arrow 1 from graph 0, first limit to graph 1, first limit nohead lw 1.5 dt 4 lc rgb warn
if (limit > 0) set label 4 'limit' at graph 0.01, first limit offset character 0, 0.7 font ',11' textcolor rgb warn
eval(legend('ring: the chosen size; predicted before each size was tried'))
plot for [w in withpeak] data index id(w)-1 using 1:8 with linespoints pt marks[id(w)] ps ps lw lw dt 1 lc rgb colors[id(w)] title names[id(w)].' measured', \
     for [w in withpredicted] data index id(w)-1 using 1:9 with linespoints pt 4 ps 1.3*ps lw 1.6 dt 2 lc rgb colors[id(w)] title names[id(w)].' predicted', \
     for [w in withchosenpeak] data index id(w)-1 using ($10 == 1 ? $1 : NaN):8 with points pt 6 ps ring lw 2 lc rgb colors[id(w)] notitle
