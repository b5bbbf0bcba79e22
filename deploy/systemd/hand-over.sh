#!/bin/sh
# Replaces the tidegate that runs in one slot, tidegate@blue or tidegate@green, by a new one in the other: after an
# upgrade of /opt/tidegate, as root. Nothing happens when the new one can't start; no call fails when it can.
set -eu
run=${TIDEGATE_RUN:-/run/tidegate}

old=blue new=green
if systemctl is-active --quiet tidegate@green; then
    old=green new=blue
fi
pid=$(systemctl show --property MainPID --value "tidegate@$old")
if [ "$pid" = 0 ]; then
    echo "no slot runs; begin with: systemctl enable --now tidegate@blue" >&2
    exit 1
fi

mkdir -p "$run"
trap 'rm -f "$run/replace"' EXIT
echo "REPLACE=--replace $pid" >"$run/replace"
systemctl start "tidegate@$new" # comes back once it serves, and the old one has been told to drain
systemctl --quiet disable "tidegate@$old"
systemctl --quiet enable "tidegate@$new"
echo "tidegate@$new serves; tidegate@$old drains"
