# What all pictures share. A driver that bench writes beside the data sets, before it loads a picture:
#   data, bars, fills  files of numbers (columns below)     titletext, subtitle, caveat  texts
#   targets        how many; names[i], barnames[i], colors[i], dashes[i], marks[i] of each; zonelow[i] to zonehigh[i]:
#                  images/s within X of its best, 0 if the rate did not count
#   with...        lists of the targets that have an interval, p50, p95, p99, a peak, a prediction, a choice, a
#                  verification, a dominated size, a fill table, padded and split sizes in it
#   within         X as a text, '5 %'
#   slo, slotext   limit on the time of a batch in ms, 0 if there is none
#   xticks         command that sets the batch sizes as ticks; xlow, xhigh the range; yticks, msticks, mslow, mshigh
#                  the same of times; limit: of memory in MiB, 0 if it is far away
# Columns of data: 1 batch  2 images/s  3 low  4 high  5 p50 ms  6 p95 ms  7 p99 ms  8 measured MiB  9 predicted MiB
#                  10 chosen (1 or 0)  11 batch / throughput in ms  12 verified images/s  13 low  14 high
#                  15 dominated by this size, 0 if by none. One block per target. NaN: not known.
# Columns of fills: 1 images  2 p50 ms  3 ms when run as advised  4 exact, pad or split. One block per target.
reset
set encoding utf8
set datafile separator tab
ink = '#1f2933'; faint = '#7b8794'; gridline = '#e4e7eb'; warn = '#c0392b'
set border 3 linewidth 1 linecolor rgb faint
set tics nomirror out scale 0.5 textcolor rgb ink
set grid xtics ytics linewidth 0.8 linetype 1 linecolor rgb gridline
set lmargin 10; set rmargin 3; set tmargin 5.6; set bmargin 5.4
set key at graph 1, 1.02 right bottom horizontal Left reverse samplen 2.2 spacing 1.1 width 1 textcolor rgb ink
set label 1 titletext at graph 0, 1.0 left offset character -6, 3.6 font ',15' textcolor rgb ink noenhanced
set label 2 subtitle at graph 0, 1.0 left offset character -6, 2.35 font ',11' textcolor rgb faint noenhanced
if (strlen(caveat) > 0) set label 3 caveat at graph 0.5, 0.5 center rotate by 20 font ',26' textcolor rgb '#f6c6c6' noenhanced back
if (strlen(caveat) > 0) set label 5 caveat at graph 1, 1.0 right offset character 0, 2.35 font ',12' textcolor rgb warn noenhanced
set pointintervalbox 0
# the line below a picture that says what its marks are
legend(text) = "set label 6 '".text."' at graph 0, 0 left offset character -6, -4.4 font ',11' textcolor rgb faint noenhanced"
# shades the zone of a target, behind everything
zone(i) = zonehigh[i] <= 0 ? '' : sprintf("set object %d rectangle from graph 0, first %.9g to graph 1, first %.9g behind fillcolor rgb '%s' fillstyle solid 0.09 noborder", 10+i, zonelow[i], zonehigh[i], colors[i])
zonetext = ''
do for [i=1:targets] { if (zonehigh[i] > 0) { zonetext = '; shaded: within '.within.' of the best' } }
id(w) = strlen(w) > 0 ? int(w) : 1 # gnuplot looks at the body of an empty loop too
lw = 2.4; ps = 0.75; ring = 2.3
