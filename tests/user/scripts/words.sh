# Only what bash itself can do: no program is started.
declare -A count
while read -r word number rest; do
  ((count[${word:0:2}] += number % 97, total += number))
done <"$1"
mapfile -t keys < <(for k in "${!count[@]}"; do printf '%s\n' "$k"; done)
for ((i = 0; i < ${#keys[@]}; i++)); do
  for ((j = i + 1; j < ${#keys[@]}; j++)); do
    [[ ${keys[j]} < ${keys[i]} ]] && { t=${keys[i]} keys[i]=${keys[j]} keys[j]=$t; }
  done
done
for k in "${keys[@]}"; do printf '%s=%d ' "$k" "${count[$k]}"; done
printf '\n%d %x %s\n' "$total" "$((total ** 2))" "${BASH_VERSION%%(*}"
f() { local n=$1; ((n < 2)) && { REPLY=$n; return; }; f $((n - 1)); local a=$REPLY; f $((n - 2)); ((REPLY += a)); }
f 15; echo "$REPLY"
s="The Quick  Brown"; echo "${s,,} ${s^^} ${s// /_} ${#s} ${s:4:5} ${s%% *} ${s@Q}"
[[ 2024-11-20 =~ ^([0-9]+)-(..)-(..)$ ]] && echo "${BASH_REMATCH[@]:1}"
trap 'echo "caught $?"' ERR; (exit 5); trap - ERR
trap 'echo usr1' USR1; kill -USR1 $$; trap 'echo leaving' EXIT
{ echo one; echo two >&2; } 2>&1 | while read -r line; do echo "piped $line"; done
( cd / && echo "$PWD" ); wait < <(:); x=$(echo sub $(echo nested)); echo "$x $?"
case $x in sub*) echo glob ;; esac; printf '%(%F)T %s\n' 0 {a,b}{1..3}; echo $((16#ff + 8#17 + 0x10)) $((7 / -2)) $((-7 % 3))
coproc { read -r l; echo "co $l"; }; echo hi >&"${COPROC[1]}"; read -r l <&"${COPROC[0]}"; echo "$l"
ulimit -c; umask; declare -p count >/dev/null; exit 9
