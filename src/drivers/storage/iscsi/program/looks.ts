/**
 * Looks end with whoever waits for them. An operator that gives up closes its channel, and sshd passes on no signal to
 * programs of root; without this a server that is slow gets slower with every look that nobody waits for any more.
 * Steps go on: half of one would have to be mended.
 */
export const looksProgram = String.raw`
import threading

def end_unheard():
    poll = select.poll()
    poll.register(OUTPUT.fileno(), 0)
    poll.poll()
    os._exit(1)


def while_heard(look):
    def run(request):
        threading.Thread(target=end_unheard, daemon=True).start()
        return look(request)
    return run


for name in ('see', 'list', 'survey'):
    OPERATIONS[name] = while_heard(OPERATIONS[name])
`;
