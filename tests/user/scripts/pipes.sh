# Pipelines, job control of children, here documents, exit codes of children.
set -o pipefail
seq 200 | sort -r | head -n 3 | tr 0-9 a-j
cat <<END | sed 's/o/0/g' | tee copy | wc -c
foo $((1 + 1)) $(basename /x/boo)
END
for i in 1 2 3; do (sleep 0.0$i; exit $i) & pids+=($!); done
for p in "${pids[@]}"; do wait "$p"; echo "child $?"; done
sh -c 'kill -TERM $$'; echo "killed $?"
yes | head -n 2; echo "${PIPESTATUS[*]}"
exec 3>out; echo three >&3; exec 3>&-; cat out
diff <(seq 3) <(seq 2 4); echo "diff $?"
find . -name 'b' | xargs -I{} sh -c 'echo "found {}"; exit 0'
/no/such/program; echo "missing $?"
./text; echo "not executable $?"
printf '#!/bin/sh -e\necho script "$0" "$@"\nfalse\necho never\n' >script; chmod +x script; ./script a 'b c'; echo "script $?"
env -u HOME A=b sh -c 'echo "${HOME-unset} $A"'
ls -1 | sort | paste -sd, -
