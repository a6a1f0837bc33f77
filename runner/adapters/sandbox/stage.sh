# Binds what a job's uid can't reach onto STAGE, in this process's own mount namespace, and drops.
#   stage.sh STAGE UID SOURCE... -- ARGV...
# Started by staging.py as root behind `unshare --mount`; exits non-zero if a bind fails.
set -eu
stage=$1 uid=$2 number=0
shift 2
/bin/mount -t tmpfs -o mode=0755,size=64k,nosuid,nodev aiops-stage "$stage"
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir "$stage/$number"; else : >"$stage/$number"; fi
  /bin/mount --bind "$1" "$stage/$number"
  number=$((number + 1))
  shift
done
shift
exec /usr/bin/setpriv --reuid "$uid" --regid "$uid" --clear-groups -- "$@"
