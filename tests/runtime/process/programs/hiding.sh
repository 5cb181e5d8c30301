# hiding.sh WAY: start processes that are hard to find or to end, print "ready", and stay.
# Each has $HIDING_MARK in its arguments, and in its environment unless the way is to clear that.

hold() { # become a process that stays
    : >"$HIDING_FOLDER/$1"
    exec -a "held-$HIDING_MARK" sleep 1000
}
await() {
    for name; do
        while [ ! -e "$HIDING_FOLDER/$name" ]; do sleep 0.01; done
    done
}
ready() {
    await "$@"
    echo ready
}
stay() { while :; do sleep 1000; done; }
export -f hold

case $1 in
plain) # a command that the shell waits for
    ready a &
    (hold a)
    ;;
background) # a shell without job control has them ignore INT
    hold a &
    ready a
    wait
    ;;
ignores-int)
    trap '' INT
    hold a &
    ready a
    stay
    ;;
ignores-int-and-term)
    trap '' INT TERM
    hold a &
    ready a
    stay
    ;;
setsid)
    setsid bash -c 'hold a' &
    ready a
    wait
    ;;
setsid-ignores)
    trap '' INT TERM HUP
    setsid bash -c 'hold a' &
    ready a
    trap - INT TERM HUP
    wait
    ;;
double-fork)
    (hold a &)
    ready a
    stay
    ;;
daemon) # its own session, no parent, nothing open
    (setsid bash -c '(hold a &)' </dev/null >/dev/null 2>&1 &)
    ready a
    stay
    ;;
daemon-ignores)
    trap '' INT TERM HUP
    (setsid bash -c '(hold a &)' </dev/null >/dev/null 2>&1 &)
    ready a
    trap - INT TERM HUP
    stay
    ;;
jobs) # each job is a group of its own
    set -m
    hold a &
    (hold b | hold c) &
    ready a b c
    wait
    ;;
nohup)
    nohup bash -c 'hold a' >/dev/null 2>&1 &
    disown
    ready a
    stay
    ;;
stopped)
    hold a &
    await a
    kill -STOP $!
    ready
    wait
    ;;
stopped-ignores)
    trap '' INT TERM
    hold a &
    await a
    kill -STOP $!
    ready
    stay
    ;;
stopped-itself)
    hold a &
    ready a
    kill -STOP $$
    stay
    ;;
cleared-environment) # found as a child, in a session of its own
    env -i PATH="$PATH" HIDING_FOLDER="$HIDING_FOLDER" setsid bash -c "HIDING_MARK=$HIDING_MARK; $(declare -f hold); hold a" &
    ready a
    wait
    ;;
cleared-environment-orphan) # found by the session
    (env -i PATH="$PATH" HIDING_FOLDER="$HIDING_FOLDER" bash -c "HIDING_MARK=$HIDING_MARK; $(declare -f hold); hold a" &)
    ready a
    stay
    ;;
chain-*)
    "$HIDING_PYTHON" -I -S "$HIDING_CHAIN" 3000 "${1#chain-}" "$HIDING_MARK" </dev/null >/dev/null 2>&1 &
    ready chain
    stay
    ;;
*)
    echo "no such way: $1" >&2
    exit 2
    ;;
esac
