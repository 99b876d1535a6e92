#!/usr/bin/env bash
# Faults in what finds, makes, links, renames and locks the files of a save.
# needs: ember_test_saver
source "$EMBER_SOURCE_DIR/tests/support/saveFaults.sh"

# ---- every such call of a save in turn (P5, P20)
faults openat "EMFILE ENFILE ENOSPC EACCES EIO"
faults renameat "EIO EROFS EACCES EXDEV ENOSPC"
faults linkat "EPERM EOPNOTSUPP EMLINK ENOSYS EACCES EXDEV EIO ENOSPC EROFS"
faults unlinkat "EIO EACCES"
faults flock "ENOLCK EOPNOTSUPP ENOMEM"
faults newfstatat "EIO ENOMEM"
faults fcntl "EMFILE"
faults getdents64 "EIO"
faults pread64 "EIO"
faults lseek "EINVAL"
faults fchmod "EPERM"
faults readlink "EIO EACCES"

# ---- the new file cannot take its place: the old one stands (P5)
rename=$(number renameat '"run.json"\)')
for error in EIO EROFS EACCES EXDEV; do
  must 1 "cannot put the new file in its place" "rename $error" -e "inject=renameat:error=$error:when=$rename"
  [[ $said == *"${text[$error]}"*"what stood there before is untouched"* ]] || wrong "rename $error: $said"
done

# ---- the generation before cannot take its place: saved all the same, with a warning
previous=$(number renameat '"run.json.prev"\)')
for error in EIO EROFS EACCES ENOENT; do
  must 0 "$not_kept: it cannot be replaced: ${text[$error]}" "rename to .prev $error" -e "inject=renameat:error=$error:when=$previous"
  [[ $state_before == "6 4: run.json run.json.prev" ]] || wrong "rename to .prev $error: there is $state_before"
done
# ---- beside a damaged file, .prev is the last whole generation: no fault costs it
cp template/run.json whole.json
truncate -s -1000 template/run.json
for call in linkat renameat unlinkat fsync openat flock newfstatat; do
  for n in $(awk -v call="$call(" '
    /the save begins/ { on = 1 } /the save has ended/ { on = 0 }
    index($0, call) == 1 { count++; if (on) print count, count "+" }' clean.txt); do
    traced -e "inject=$call:error=EIO:when=$n"
    points=$((points + 1))
    [[ $("$saver" which f/run.json f/run.json.prev) =~ ^(6\ |broken.*\ 4$) ]] ||
      wrong "beside a damaged file, $call $n: exit $code, there is $("$saver" which f/run.json f/run.json.prev)"
  done
done
mv whole.json template/run.json

# ---- a file system without hard links keeps no previous generation, and saves
must 0 "" "links refused" -e inject=linkat:error=EPERM
[[ $state_before == "6 4: "* ]] || wrong "links refused: there is $state_before"

# ---- all that a disk which keeps its word needs is asked of it, in this order (P19; no call helps against one that lies)
traced
order=$(sed -nE 's/^fsync\(.*/flush/p; s/^linkat\(.*/link/p; s/^renameat\(.*"run\.json"\).*/replace/p
  s/^renameat\(.*"run\.json\.prev"\).*/keep/p' <<<"$calls" | xargs)
[[ $order == "flush link replace keep flush" ]] || wrong "the order of a save is $order"

# ---- one without locks saves, and leaves no lock file
for error in ENOLCK EOPNOTSUPP; do must 0 "" "flock $error" -e inject=flock:error=$error; done
must 0 "" "interrupted flock" -e inject=flock:error=EINTR:when=1..2

# ---- no descriptor left (P20); and nothing is made anywhere but beside the target, so a full /tmp is no matter
must 1 "raise the limit of open files" "no descriptor" -e "inject=openat:error=EMFILE:when=$(number openat O_EXCL)"
traced
! grep -E '^(openat\(AT_FDCWD|open\(|creat|mkdir|memfd)' <<<"$calls" | grep -E 'O_CREAT|O_WRONLY|O_RDWR|creat|mkdir|memfd' ||
  wrong "a save makes something outside of its folder"
finish
