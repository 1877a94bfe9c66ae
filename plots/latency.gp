# Time of a batch over its size: p50, and p95 and p99 where enough iterations were measured.
load style
set key at graph 0.02, 0.98 left top vertical maxrows 3*targets Left reverse
set logscale x 2
set logscale y
eval(xticks)
set xrange [xlow:xhigh]
set yrange [mslow:mshigh]
set format y '%g'
eval(yticks)
set xlabel 'batch size (images)' textcolor rgb ink
set ylabel 'time of a batch, service (ms)' textcolor rgb ink
plot for [i=1:targets] data index i-1 using 1:5 with linespoints pt marks[i] ps ps lw lw dt 1 lc rgb colors[i] title names[i].' p50', \
     for [i=1:targets] data index i-1 using 1:(has95[i] ? $6 : NaN) with linespoints pt marks[i] ps 0.6*ps lw 1.6 dt 2 lc rgb colors[i] title (has95[i] ? names[i].' p95' : ''), \
     for [i=1:targets] data index i-1 using 1:(has99[i] ? $7 : NaN) with linespoints pt marks[i] ps 0.4*ps lw 1.4 dt 3 lc rgb colors[i] title (has99[i] ? names[i].' p99' : ''), \
     for [i=1:targets] data index i-1 using ($10 == 1 ? $1 : NaN):5 with points pt 6 ps ring lw 2 lc rgb colors[i] notitle
