import { setTimeout as sleep } from 'node:timers/promises';

/** Runs kubectl to its end and answers standard output; throws when it fails. */
type Kubectl = (args: readonly string[]) => Promise<string>;

type Crd = {
  metadata: { name: string };
  status?: { conditions?: readonly { type: string; status: string }[] | null };
};

const limitMs = 120_000;

const isOurs = ({ metadata }: Crd): boolean => metadata.name.endsWith('.ovcp.dev');

const isEstablished = ({ status }: Crd): boolean =>
  status?.conditions?.some((it) => it.type === 'Established' && it.status === 'True') ?? false;

/**
 * Waits until the API server serves every CRD of a group below ovcp.dev that it has. `kubectl wait` cannot be used for it: it fails at once on a CRD so
 * new that its conditions are null, which a busy API server shows for a while.
 */
export const untilCrdsEstablished = async (kubectl: Kubectl): Promise<void> => {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const { items } = JSON.parse(await kubectl(['get', 'crd', '-o', 'json'])) as { items: readonly Crd[] };
    const missing = items
      .filter((crd) => isOurs(crd) && !isEstablished(crd))
      .map(({ metadata }) => metadata.name);
    if (missing.length === 0) return;
    if (performance.now() > endMs) throw new Error(`not established: ${missing.join(' ')}`);
    await sleep(100);
  }
};
