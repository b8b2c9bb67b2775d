#!/bin/bash
# One machine, several processes: GPUS=8 examples/jobs/torchrun.sh PICTURES RUN [options of fit]
# The same command again resumes, with any number of processes.
set -euo pipefail
pictures=$1 run=$2
shift 2
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
exec torchrun --standalone --nproc_per_node "${GPUS:-2}" \
    -m latentbloom fit "$pictures" --out "$run" "$@"
