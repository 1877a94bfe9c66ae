# Throughput against the time of a batch: each point is a batch size; up and to the left is better. A hollow point is
# never worth taking: another size is at least as good in everything. The zone within X of the best is shaded, a
# limit on the time of a batch is a line.
load style
eval(legend('numbers: batch size; ring: the chosen one'.zonetext.(withdominated eq '' ? '' : '; hollow: dominated by another size')))
set logscale x
set yrange [0:*]
set offsets 0, 0, graph 0.16, 0
set xrange [mslow:mshigh]
set format x '%g'
eval(msticks)
set xlabel 'time of a batch: batch / throughput (ms)' textcolor rgb ink
set ylabel 'throughput (images/s)' textcolor rgb ink
do for [i=1:targets] { eval(zone(i)) }
if (slo > 0) set arrow 1 from first slo, graph 0 to first slo, graph 1 nohead lw 1.5 dt 4 lc rgb warn
if (slo > 0) set label 4 slotext at first slo, graph 0.03 right offset character -0.6, 0 font ',11' textcolor rgb warn
plot for [i=1:targets] data index i-1 using 11:2 with linespoints pt marks[i] ps ps lw lw dt dashes[i] lc rgb colors[i] title names[i], \
     for [w in withdominated] data index id(w)-1 using ($15 > 0 ? $11 : NaN):2 with points pt 7 ps 0.55*ps lc rgb '#ffffff' notitle, \
     for [w in withchosen] data index id(w)-1 using ($10 == 1 ? $11 : NaN):2 with points pt 6 ps ring lw 2 lc rgb colors[id(w)] notitle, \
     for [i=1:targets] data index i-1 using 11:2:(sprintf('%d', $1)) with labels \
         offset character 0, 1.2 font ',11' textcolor rgb colors[i] notitle
