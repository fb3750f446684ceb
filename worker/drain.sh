#!/bin/sh
# shellcheck source-path=SCRIPTDIR
# Drains the Celery workers of this box: quiet first, then a warm shutdown of the main process
# alone, and at the deadline everything that still runs is handed back to SQS. See --help.
set -u

here=$(dirname -- "$(readlink -f -- "$0")")
# shellcheck source=drain/proc.sh
. "$here/drain/proc.sh"
# shellcheck source=drain/state.sh
. "$here/drain/state.sh"
# shellcheck source=drain/lock.sh
. "$here/drain/lock.sh"
# shellcheck source=drain/find.sh
. "$here/drain/find.sh"
# shellcheck source=drain/supervise.sh
. "$here/drain/supervise.sh"
# shellcheck source=drain/one.sh
. "$here/drain/one.sh"
# shellcheck source=drain/metadata.sh
. "$here/drain/metadata.sh"
# shellcheck source=drain/report.sh
. "$here/drain/report.sh"
# shellcheck source=drain/command.sh
. "$here/drain/command.sh"
# shellcheck source=drain/resume.sh
. "$here/drain/resume.sh"

usage() {
    cat <<'HELP'
drain.sh --deadline UNIX_SECONDS --reason REASON [--drain-id ID] [--instance-id ID] [WORKER]
drain.sh --status [WORKER]
drain.sh --resume [WORKER]

REASON is spot, rebalance, scale_in, rollout, health, manual or surplus. WORKER is one of
  --pidfile FILE     the main process's pid is in FILE
  --unit NAME        a systemd unit
  --program NAME     a supervisord program
  --container NAME   a Docker container
and without it, every worker on the box. The deadline is when all must be done.

A drain stays in the foreground. The last line of its output is JSON:
  {worker, quietSeconds, handedBack, finished, forced, stillRunning, exit}
after one such line for each worker where there are several. Its exit code:
  0 drained   1 deadline reached, the rest handed back   2 usage   3 nothing to drain
  4 called off by --resume
A second drain of a worker joins the first: a nearer deadline moves it, a later one does nothing.

The reason surplus only asks: a worker that runs something works on at once, and the report is
`busy`; one that runs nothing stays quiet, and the report is `idle`, until the deadline, --resume or
a drain for any other reason, which takes over. No task is cut short and no worker stopped by it.

--status prints {workers, phase, running, handedBack, finished, drainId, deadline}; the phase is
working, quieting, quiet, idle or gone, that of the worker that is least far; running is null while
it is not known. --resume lets quiet workers poll again and starts those that a drain has stopped;
its exit code is 0 when it could, 1 when not, 3 when there was nothing to resume. With
--reason surplus it takes back that question alone, and no drain for any other reason.

Environment: CELERIAC_RUN_DIR, CELERIAC_DRAIN_DIR (its locks; /run/celeriac-drain),
CELERIAC_LEAVING (the note for workers that start later; /run/celeriac.leaving),
CELERIAC_SUPERVISOR_CONF, CELERIAC_UNIT_DIR, CELERIAC_INSTANCE_ID, CELERIAC_PYTHON (for reports).
HELP
}

fail_usage() {
    printf 'drain.sh: %s; see --help\n' "$1" >&2
    exit 2
}

say() {
    printf '%s drain.sh%s: %s\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "${w_name:+ $w_name}" "$*" >&2
}

# nap SECONDS: not every `sleep` takes a fraction.
nap() {
    sleep "$1" 2>/dev/null || sleep 1
}

# uptime: hundredths of a second since boot, which no clock change moves, as up.
uptime() {
    read -r up _ </proc/uptime
    up=${up%.*}${up#*.}
}

# clock: unix seconds, as now; counted from one look at the clock, since each costs a fork.
clock() {
    uptime
    now=$((clock_at_boot + up / 100))
}

# seconds_left MIN: until the deadline of this worker, and at least MIN.
seconds_left() {
    clock
    u_left=$((w_deadline - now))
    [ "$u_left" -gt "$1" ] || u_left=$1
    printf '%s\n' "$u_left"
}

# check NAME VALUE PATTERN: the whole value must be made of what the pattern allows.
check() {
    case $2 in
    '' | -* | *[!A-Za-z0-9@._:/-]*) fail_usage "$1 must be letters, digits and @._:/-" ;;
    esac
    printf '%s\n' "$2" | grep -Eqx -e "$3" || fail_usage "$1 must match $3"
}

select_worker() {
    [ "$opt_kind" = all ] || fail_usage 'only one of --pidfile, --unit, --program and --container'
    case $1 in
    pidfile) check --pidfile "$2" '.{1,255}' ;;
    *) check "--$1" "$2" '[^/]{1,255}' ;;
    esac
    opt_kind=$1 opt_name=$2
}

command=drain
reasons='spot|rebalance|scale_in|rollout|health|manual|surplus'
opt_kind=all opt_name=- opt_deadline='' opt_reason='' opt_drain_id='' opt_instance_id=''
while [ $# -gt 0 ]; do
    case $1 in
    --help) usage && exit 0 ;;
    --status | --resume)
        [ "$command" = drain ] || fail_usage 'only one of --status and --resume'
        command=${1#--}
        shift
        continue
        ;;
    --deadline | --reason | --drain-id | --instance-id) ;;
    --pidfile | --unit | --program | --container) ;;
    *) fail_usage 'unknown argument' ;;
    esac
    [ $# -gt 1 ] || fail_usage "$1 needs a value"
    case $1 in
    --deadline) check "$1" "$2" '[0-9]{10}' && opt_deadline=$2 ;;
    --reason) check "$1" "$2" "$reasons" && opt_reason=$2 ;;
    --drain-id) check "$1" "$2" '[A-Za-z0-9@._:-]{1,128}' && opt_drain_id=$2 ;;
    --instance-id) check "$1" "$2" 'm?i-[a-z0-9]{1,40}' && opt_instance_id=$2 ;;
    *) select_worker "${1#--}" "$2" ;;
    esac
    shift 2
done

uptime
clock_at_boot=$(($(date +%s) - up / 100))
clock
my_uid=$(id -u)
# As in celeriac_worker's rundir.py.
leaving=${CELERIAC_LEAVING:-/run/celeriac.leaving}
w_index=0 w_name='' w_deadline=${opt_deadline:-$now}
open_box || {
    say 'no directory for the locks of drains can be used'
    exit 1
}
work=$(mktemp -d "$box/work.XXXXXX") || exit 1
trap 'rm -rf -- "$work"' EXIT
trap 'exit 143' TERM INT HUP

case $command in
drain)
    [ -n "$opt_deadline" ] || fail_usage '--deadline is needed'
    [ -n "$opt_reason" ] || fail_usage '--reason is needed'
    command_drain
    ;;
status) command_status ;;
resume) command_resume ;;
esac
