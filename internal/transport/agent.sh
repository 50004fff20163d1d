# Runs the agent on a host, installing it first if it is missing. Run as
#   sh -c SCRIPT sh MARK DIR MACHINES HASH SIZE
# and talks with launch.go in lines: "MARK word ..." out, one answer line in.
#
# The whole is passed as one single-quoted argument through whatever login shell
# the user has. So the lines below must hold no single quote, backslash or
# exclamation mark, and must still be right when joined by blanks.
m=$1; d=$2; want=$3; h=$4; z=$5;
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH;
umask 022;
say() { echo "$m $*"; };
die() { say error "$*"; exit 1; };
# Ours, not a link (shown as l...rwxrwxrwx), not writable by group or others.
safe() { [ -O "$1" ] && case $(ls -ld "$1") in ?????w*|????????w*) return 1;; esac; };
a=$(uname -m);
case " $want " in
*" any "*|*" $a "*) ;;
*) say machine "$a"; read -r h z || exit 1;;
esac;
f=$d/$h;
if [ -f "$f" ] && safe "${d%/*}" && safe "$d" && safe "$f" && [ "$(wc -c <"$f")" -eq "$z" ]; then :; else
mkdir -p "$d" || die create "$d";
for p in "${d%/*}" "$d"; do safe "$p" || die unsafe "$p"; done;
c=raw; if command -v gzip >/dev/null; then c=gzip; fi;
say missing "$c"; read -r n || exit 1;
find "$d" -name ".new.*" -mmin +60 -exec rm -f {} +;
t=$(mktemp "$d/.new.XXXXXX") || die create "$d";
trap "rm -f $t" EXIT;
if [ $c = gzip ]; then head -c "$n" | gzip -dc >"$t"; else head -c "$n" >"$t"; fi || die write "$d";
[ "$(sha256sum <"$t" | cut -c 1-64)" = "$h" ] || die checksum "$f";
chmod 0755 "$t" && sync "$t" && mv -f "$t" "$f" || die write "$d";
ls -t "$d" | tail -n +3 | while read -r o; do rm -f "$d/$o"; done;
fi;
[ -x "$f" ] || die noexec "$f";
say start;
exec "$f" agent
