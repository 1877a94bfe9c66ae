# All targets of a model at their chosen batch sizes.
load style
eval(legend('bars: range over fresh executions where verified, else 95 % interval'))
set style fill solid 0.85 noborder
set boxwidth 0.55
set xrange [0.3:targets + 0.7]
set yrange [0:*]
set offsets 0, 0, graph 0.14, 0
unset key
set grid noxtics
set xtics scale 0 ()
set for [i=1:targets] xtics add (barnames[i] i)
set ylabel 'throughput (images/s)' textcolor rgb ink
plot for [w in withchosen] bars using (id(w)):($1 == id(w) ? $2 : NaN) with boxes lc rgb colors[id(w)], \
     for [w in withchosenbar] bars using 1:($1 == id(w) ? $3 : NaN):(0):($4-$3) with vectors heads size graph 0.012,90 fixed lw 1.8 lc rgb ink, \
     bars using 1:(valid(4) ? $4 : $2):(sprintf('%.4g', $2)) with labels offset character 0, 0.8 font ',12' textcolor rgb ink
