#!/bin/bash
# A campaign for each network, each alone on a node: sbatch slurm-array.sh
# Results of each in its own folder (a store takes one writer): $BENCH_OUT/NETWORK
#SBATCH --job-name=bench
#SBATCH --array=0-2
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --exclusive
#SBATCH --time=04:00:00
#SBATCH --signal=B:INT@120
#SBATCH --output=bench-%A_%a.log

set -u
networks=(hrnet resunet_small resunet_advanced)
network=${networks[${SLURM_ARRAY_TASK_ID:?start this with sbatch}]}
out=${BENCH_OUT:-$PWD/results}/$network
mkdir -p "$out"

# SIGINT two minutes before the time limit: bench leaves a valid result, and the next job goes on with it
bench tune --model "$network" --out "$out" --resume --quiet &
child=$!
trap 'kill -INT $child' INT TERM
wait $child
code=$?
if kill -0 $child 2> /dev/null; then wait $child; code=$?; fi
# 4: the time was used up; the files hold the best so far
[ $code = 4 ] && exit 0
exit $code
