/** What to try once the machine is up: the tour, by hand. Pure. */
import { tourFiles } from './tour.ts';

export interface NextSteps {
  /** Shell lines that come first in another terminal. */
  readonly enter: readonly string[];
  readonly repository: string;
  /** What stands for `virsh` on the host the machine is on; undefined where hosts are simulated. */
  readonly virsh: string | undefined;
  /** The machine's name there. */
  readonly domain: string;
  /** Whether there are storage servers, which the lines of `enter` make known to the shell. */
  readonly storage: boolean;
}

export const nextSteps = ({ enter, repository, virsh, domain, storage }: NextSteps): string =>
  [
    'In another terminal:',
    '',
    `  cd ${repository}`,
    ...enter.map((line) => `  ${line}`),
    '',
    '  kubectl get ovm -A -w                            # follow it',
    '  kubectl describe ovm web-1 -n team-a             # conditions and events',
    ...(virsh === undefined
      ? []
      : [
          `  ${virsh} list --all    # what the host says`,
          `  ${virsh} console ${domain}    # its serial line; leave with Ctrl-]`,
        ]),
    ...(storage
      ? [
          '  kubectl get osp; kubectl describe osp gv0        # pools, and each part of the volume',
          '  eval $SSH_G1 gluster volume heal gv0 info        # what Gluster says',
          '  eval $SSH_SAN tgtadm --lld iscsi --op show --mode target',
        ]
      : []),
    '',
    'To try:',
    '',
    `  kubectl apply --server-side -f ${tourFiles.dataDisk}`,
    `  kubectl apply --server-side --field-manager=tour -f ${tourFiles.attach}     # a disk, live`,
    ...(virsh === undefined ? [] : [`  ${virsh} destroy ${domain}     # behind our back: it heals`]),
    ...(storage
      ? [
          '  eval $OVCP_LAB server-off g3     # a Gluster server dies: the machine goes on, the pool says Degraded',
          '  eval $OVCP_LAB server-on g3      # it comes back, and is healed',
        ]
      : []),
    `  kubectl patch ovm web-1 -n team-a --type=merge -p '{"spec":{"powerState":"PoweredOff"}}'`,
    `  kubectl patch ovm web-1 -n team-a --type=merge -p '{"spec":{"powerState":"PoweredOn"}}'`,
    '  kubectl delete ovm web-1 -n team-a               # gone on the host too',
    '',
    'Changes are printed here as they happen. Ctrl-C takes all down.',
  ].join('\n');
