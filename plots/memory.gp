# Peak memory over batch size: measured, what the model of memory predicted, and the limit if it is near.
load style
set key at graph 0.02, 0.98 left top vertical maxrows 2*targets Left reverse
set logscale x 2
eval(xticks)
set xrange [xlow:xhigh]
set yrange [0:*]
set offsets 0, 0, graph 0.1, 0
set xlabel 'batch size (images)' textcolor rgb ink
set ylabel 'peak memory (MiB)' textcolor rgb ink
if (limit > 0) set arrow 1 from graph 0, first limit to graph 1, first limit nohead lw 1.5 dt 4 lc rgb '#c0392b'
if (limit > 0) set label 4 'limit' at graph 0.01, first limit offset character 0, 0.7 font ',11' textcolor rgb '#c0392b'
plot for [i=1:targets] data index i-1 using 1:8 with linespoints pt marks[i] ps ps lw lw dt 1 lc rgb colors[i] title names[i].' measured', \
     for [i=1:targets] data index i-1 using 1:($9 > 0 ? $9 : NaN) with linespoints pt 4 ps 0.8*ps lw 1.6 dt 2 lc rgb colors[i] title (predicted[i] ? names[i].' predicted' : ''), \
     for [i=1:targets] data index i-1 using ($10 == 1 ? $1 : NaN):8 with points pt 6 ps ring lw 2 lc rgb colors[i] notitle
