# Throughput against the time of a batch: each point is a batch size; up and to the left is better.
load style
set label 2 subtitle.'; numbers: batch size, ring: the chosen one'
set logscale x
set yrange [0:*]
set offsets 0, 0, graph 0.16, 0
set xrange [mslow:mshigh]
set format x '%g'
eval(msticks)
set xlabel 'time of a batch: batch / throughput (ms)' textcolor rgb ink
set ylabel 'throughput (images/s)' textcolor rgb ink
plot for [i=1:targets] data index i-1 using 11:2 with linespoints pt marks[i] ps ps lw lw dt dashes[i] lc rgb colors[i] title names[i], \
     for [w in withchosen] data index id(w)-1 using ($10 == 1 ? $11 : NaN):2 with points pt 6 ps ring lw 2 lc rgb colors[id(w)] notitle, \
     for [i=1:targets] data index i-1 using 11:2:(sprintf('%d', $1)) with labels \
         offset character 0, 1.2 font ',11' textcolor rgb colors[i] notitle
