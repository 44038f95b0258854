/** Everything a person or a program can read of the operator, to be searched for Secrets (S27). */
import type { ControlPlane } from '../../hack/lab/control-plane.ts';

const kinds = [
  'hostpools',
  'hosts',
  'storagepools',
  'virtualnetworks',
  'virtualmachinesizes',
  'virtualmachineimages',
  'virtualdisks',
  'virtualmachines',
].map((plural) => `${plural}.ovcp.dev`);

/** All objects of ours, Events and ConfigMaps, as JSON; Secrets are left out, they are where secrets belong. */
export const readObjects = async (plane: ControlPlane): Promise<string> =>
  plane.mustKubectl([
    'get',
    [...kinds, 'events.events.k8s.io', 'configmaps', 'leases'].join(),
    '-A',
    '-o',
    'json',
  ]);

export const readMetrics = async (at: {
  readonly address: string;
  readonly port: number;
}): Promise<string> => {
  const answer = await fetch(`http://${at.address}:${at.port}/metrics`);
  if (!answer.ok) throw new Error(`the metrics answered ${answer.status}`);
  return answer.text();
};

/** Every form in which a Secret's value may turn up. */
export const formsOf = (canary: string): readonly string[] => {
  const base64 = Buffer.from(canary).toString('base64');
  return [canary, base64.replace(/=+$/, ''), encodeURIComponent(canary)];
};
