# Runs a command with its output in a file, and shows the file only when the command fails.
# usage: sh tests/quiet.sh LOGFILE COMMAND [ARGUMENT...]
log=$1
shift
"$@" >"$log" 2>&1 && exit 0
status=$?
cat "$log" >&2
exit "$status"
