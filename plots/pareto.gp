# Throughput against the time of a batch: each point is a batch size; up and to the left is better.
load style
set label 2 subtitle.'; numbers: batch size, ring: the chosen one'
set logscale x
set yrange [0:*]
set offsets 0, 0, graph 0.16, 0
set xrange [mslow:mshigh]
set format x '%g'
eval(msticks)
set xlabel 'time of a batch, service p50 (ms)' textcolor rgb ink
set ylabel 'throughput (images/s)' textcolor rgb ink
plot for [i=1:targets] data index i-1 using 5:2 with lines lw lw dt dashes[i] lc rgb colors[i] notitle, \
     for [i=1:targets] data index i-1 using 5:2 with points pt marks[i] ps ps lc rgb colors[i] title names[i], \
     for [i=1:targets] data index i-1 using ($10 == 1 ? $5 : NaN):2 with points pt 6 ps ring lw 2 lc rgb colors[i] notitle, \
     for [i=1:targets] data index i-1 using 5:2:(sprintf('%d', $1)) with labels \
         offset character 0, 1.2 font ',11' textcolor rgb colors[i] notitle
