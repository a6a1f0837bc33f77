# The prologue: runs inside the sandbox before the job's own code, in the host's shell.
#   prologue.sh CPU_S DATA_KB FILE_BLOCKS OPEN_FILES PROCESSES PROBE PATH... -- ARGV...
# Sets the limits, tries to write to every PATH (in a folder: to make PROBE), prints what it saw,
# waits for `go`, becomes ARGV.
# Exit codes: 97 a write went through that had to be refused; 98 no `go` came; 99 a limit failed.
# Uses builtins only: a process costs more than everything here together.
ulimit -c 0 && ulimit -t "$1" && ulimit -d "$2" && ulimit -f "$3" && ulimit -n "$4" || exit 99
if [ "$5" -gt 0 ]; then
  # bash calls the process limit -u, dash and busybox call it -p
  ulimit -u "$5" 2>/dev/null || ulimit -p "$5" || exit 99
fi
probe_name=$6
shift 6
# said in one go: each line by itself would wake the runner once more
said='aiops-evidence 1
'
while [ "$1" != -- ]; do
  # `true`, not `:`, whose failing redirection would end the shell (POSIX, special built-ins)
  if [ -d "$1" ]; then probe=$1/$probe_name; else probe=$1; fi
  if { true >>"$probe"; } 2>/dev/null; then
    echo "${said}written $1"
    exit 97
  fi
  said="${said}refused $1
"
  shift
done
shift
echo "${said}ready"
read -r answer || exit 98
[ "$answer" = go ] || exit 98
exec "$@" </dev/null
