# Images per second over batch size, with intervals: the zone within X of the best is shaded, the chosen size has a
# ring, a diamond with a bar is the rate of fresh executions and its range.
load style
eval(legend('bars: 95 % interval; ring: chosen'.zonetext.(withverified eq '' ? '' : '; diamond: verified, with its range')))
set logscale x 2
eval(xticks)
set xrange [xlow:xhigh]
set yrange [0:*]
set offsets 0, 0, graph 0.14, 0
set xlabel 'batch size (images)' textcolor rgb ink
set ylabel 'throughput (images/s)' textcolor rgb ink
do for [i=1:targets] { eval(zone(i)) }
plot for [i=1:targets] data index i-1 using 1:2 with linespoints pt marks[i] ps ps lw lw dt dashes[i] lc rgb colors[i] title names[i], \
     for [w in withinterval] data index id(w)-1 using 1:3:(0):($4-$3) with vectors heads size graph 0.007,90 fixed lw 1.6 dt 1 lc rgb colors[id(w)] notitle, \
     for [w in withverified] data index id(w)-1 using ($1*1.08):13:(0):($14-$13) with vectors heads size graph 0.009,90 fixed lw 2 dt 1 lc rgb ink notitle, \
     for [w in withverified] data index id(w)-1 using ($1*1.08):12 with points pt 13 ps 1.1*ps lc rgb ink notitle, \
     for [w in withchosen] data index id(w)-1 using ($10 == 1 ? $1 : NaN):2 with points pt 6 ps ring lw 2 lc rgb colors[id(w)] notitle, \
     for [w in withchosen] data index id(w)-1 using ($10 == 1 ? $1 : NaN):2:(sprintf('chosen: %d', $1)) with labels \
         offset character 0, 1.4 font ',11' textcolor rgb colors[id(w)] notitle
