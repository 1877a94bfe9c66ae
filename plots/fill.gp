# What a batch of n images costs, for every n up to the largest that may be executed; a mark beside the line is what
# it costs when it is run as advised: padded to a larger size, or split in two.
load style
set key at graph 0.02, 0.98 left top vertical Left reverse
eval(legend(withpad.withsplit eq '' ? 'every number of images is best run as it is' : 'marks beside a line: cheaper when padded to a larger size, or split in two'))
set xlabel 'images in the batch' textcolor rgb ink
set ylabel 'time of a batch, service p50 (ms)' textcolor rgb ink
set xrange [0:*]
set yrange [0:*]
set offsets graph 0.02, graph 0.02, graph 0.12*targets, 0
plot for [w in withfill] fills index id(w)-1 using 1:2 with linespoints pt 7 ps 0.8*ps lw 1.6 dt dashes[id(w)] lc rgb colors[id(w)] title names[id(w)], \
     for [w in withpad] fills index id(w)-1 using (strcol(4) eq 'pad' ? $1 : NaN):3 with points pt 8 ps 1.5*ps lw 1.6 lc rgb colors[id(w)] title names[id(w)].' padded', \
     for [w in withsplit] fills index id(w)-1 using (strcol(4) eq 'split' ? $1 : NaN):3 with points pt 4 ps 1.5*ps lw 1.6 lc rgb colors[id(w)] title names[id(w)].' split'
