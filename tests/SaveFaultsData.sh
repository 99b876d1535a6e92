#!/usr/bin/env bash
# Faults in what moves a save's bytes: the disk is full, breaks or takes less than it is given.
# needs: ember_test_saver
source "$EMBER_SOURCE_DIR/tests/support/saveFaults.sh"

# ---- every such call of a save in turn (P1, P3, P4)
faults write "ENOSPC EDQUOT EFBIG EIO"
faults fallocate "ENOSPC EDQUOT EFBIG EIO EINVAL ENOSYS EOPNOTSUPP"
faults ftruncate "EIO ENOSPC"
faults fsync "EIO ENOSPC EDQUOT"
faults close "EIO ENOSPC EDQUOT"

write=$(number write "write\\($temporary_fd, ")
[[ $write ]] || wrong "no write to the temporary file in a save"

# ---- the disk is full: said with the bytes that are needed and free, early where the file system can tell (P1)
must 1 "needed  at least 960,0" "the temporary file's first write" -e "inject=write:error=ENOSPC:when=$write"
[[ $said == *"free    "*" bytes"* && $said == *"make room on the disk"* ]] || wrong "a full disk: no bytes free in $said"
must 1 "needed  at least 960,000 bytes" "no room from the start" -e inject=fallocate:error=ENOSPC
! grep -q "^write($temporary_fd, " <<<"$calls" || wrong "a save that finds no room writes all the same"
must 0 "" "a file system that takes no room in advance" -e inject=fallocate:error=EOPNOTSUPP

# ---- limits of the user (P3)
must 1 "Disk quota exceeded" "quota" -e "inject=write:error=EDQUOT:when=$write"
prepare
(ulimit -f 500 && exec "$saver" save f/run.json 6 2>said.txt)  # SIGXFSZ would end it with 153
code=$? said=$(<said.txt)
[[ $code == 1 && $said == *"File too large"*"ulimit -f"* ]] || wrong "ulimit -f: exit $code, $said"
after "ulimit -f"

# ---- fsync is called once for the file and never again when it fails (P4)
must 1 "cannot flush the temporary file to the disk" "fsync" -e "inject=fsync:error=EIO:when=1"
[[ $(grep -c "^fsync(" <<<"$calls") == 1 ]] || wrong "a failed fsync is followed by another"

# ---- of the folder it comes too late to undo anything: its own text and kind (P6)
must 3 "saved, but \"f/run.json\" may not survive a loss of power: its folder cannot be flushed" "fsync of the folder" \
  -e "inject=fsync:error=EIO:when=2"
must 0 "" "a file system without fsync of folders" -e "inject=fsync:error=EINVAL:when=2"

# ---- interrupted and short writes (P7)
for ((n = write; n < write + 4; n++)); do must 0 "" "interrupted write $n" -e "inject=write:error=EINTR:when=$n..$((n + 2))"; done
must 0 "" "interrupted fallocate" -e inject=fallocate:error=EINTR:when=1..2
must 0 "" "interrupted ftruncate" -e inject=ftruncate:error=EINTR:when=1..2
for most in 1000 262143; do
  EMBER_WRITE_AT_MOST=$most must 0 "" "at most $most bytes a write"
  (($(grep -c "^write($temporary_fd, " <<<"$calls") > 960000 / most)) || wrong "writes are not short"
done
# A kernel that says it took 100 bytes and took none: the file's size tells.
must 1 "cannot find in the temporary file all that was written" "lost bytes" -e "inject=write:retval=100:when=$write"
must 1 "not saved" "writes of nothing" -e "inject=write:retval=0:when=$write"

must 1 "cannot close the temporary file" "close" -e "inject=close:error=EIO:when=$(number close "close\\($temporary_fd\\)" "^fsync")"
must 1 "cannot cut the temporary file" "ftruncate" -e "inject=ftruncate:error=EIO:when=$(number ftruncate "ftruncate\\($temporary_fd, ")"
finish
