/** docs/troubleshooting.md: what to do about each reason. A reason without advice does not compile. */
import { conditionTypes, type Reason, type ReasonCategory, reasonTable } from '../../../src/api/reasons.ts';

type NeedsNothing =
  | 'Ready'
  | 'Running'
  | 'PoweredOff'
  | 'GuestPoweredOff'
  | 'Placed'
  | 'Reconciled'
  | 'Synced'
  | 'DriftIgnored'
  | 'Reachable'
  | 'Schedulable'
  | 'Claimed'
  | 'AgentConnected'
  | 'Attached'
  | 'Available'
  | 'WaitingForFirstUse'
  | 'NotNeeded'
  | 'NotPaused'
  | 'NotStalled';

/** What a person does. Markdown; one or two sentences. */
const advice = {
  Pending: 'If it lasts, the operator does not run or does not hold its lease: look at its log.',
  Creating: 'Wait.',
  Starting: 'Wait.',
  Stopping:
    'Wait for `shutdown.timeoutSeconds`. A guest without ACPI or agent never goes down by itself: set `shutdown.mode: GracefulThenHard` or `Hard`.',
  Restarting: 'Wait.',
  Deleting: 'Read the message: it names what the deletion waits for.',
  Updating: 'Wait.',
  Connecting: 'Wait. If it lasts, see HostUnreachable.',
  Importing: 'Wait: `kubectl get oimg` shows the percentage.',
  Copying: 'Wait.',
  GrowsAtPowerCycle: 'Stop and start the machine when it suits: the disk grows in between.',
  Publishing: 'Wait. If it lasts, look at the health of the StoragePool.',
  Growing: 'Wait. The file system inside the guest is grown in the guest.',
  Attaching: 'Wait.',
  Detaching: 'Wait. The guest has to let go of the device; unmount it there.',
  WaitingForImage: '`kubectl get oimg -n NAMESPACE`: the image says what it waits for.',
  WaitingForDisk: '`kubectl get odisk -n NAMESPACE`: the disk says what it waits for.',
  WaitingForNetwork: '`kubectl describe ovn NAME`: `status.hosts` says why, host by host.',
  WaitingForDependents: 'Delete the objects that the message names, or wait until they are gone.',
  WaitingForDetach: 'Take the disk out of `spec.disks` of the machine that the message names.',
  RequiresNetworkRestart:
    'Move the machines away or stop them, then run `virsh net-destroy` for the network on the hosts named; the operator starts it anew at once. A reboot of the host does the same.',
  RequiresPowerCycle:
    'Read `status.pendingChanges`. Set `spec.restartRequestedAt` to the present time to apply it now. A reboot from inside the guest does not apply it.',
  AgentNotConnected: 'Install and start `qemu-guest-agent` in the guest, or ignore it.',
  Paused: 'Remove the annotation `ovcp.dev/paused`.',
  Unschedulable: 'Set `spec.unschedulable: false` on the Host when it shall take machines again.',
  Leaving: 'Delete or move away the machines on it; then the Host goes.',

  Healing: 'Wait: `status.heal` of the StoragePool counts down. Do not take another server down meanwhile.',
  Rebalancing: 'Wait.',

  HostUnreachable:
    'Check power and network of the host, then `virsh -c URI list` from where the operator runs. If the host never comes back: `spec.declaredDown` on the Host.',
  HostNotReady: 'Look at the conditions of the Host: `kubectl describe oh POOL.HOST`.',
  NoHostsReady: '`kubectl get oh`: each Host says what is wrong.',
  SomeHostsNotReady: '`kubectl get oh`: each Host says what is wrong. The ready ones are used.',
  NoHostFits:
    'Read `status.unplaced`. Free memory, raise `overcommit` of the HostPool, add a host, or make the machine smaller.',
  StorageNotReady: '`kubectl describe osp NAME`: `status.hosts` says why, host by host.',
  StoragePoolFull: 'Free space on the file system of the pool, or add to it.',
  StoragePoolNearlyFull: 'Add to the storage, or delete what nobody needs, before it is full.',
  ServerUnreachable:
    'Check power, network and SSH of the server that the message names. Machines go on as long as enough other servers are up.',
  ServerDown:
    'Start the server that the message names, and glusterd on it; `gluster peer status` shows who is missing.',
  BrickDown:
    'Look at the server of the brick that `status.components` names: its disk, its mount, `/var/log/glusterfs/bricks`. `gluster volume start VOLUME force` starts a brick that ended by itself.',
  RebalanceFailed:
    'Look at the log of the rebalance in `/var/log/glusterfs` on the servers, then run the command that the message names.',
  HealUnknown: '`gluster volume heal VOLUME info summary` on a server says more.',
  VolumeStopped: 'Somebody stopped it: `gluster volume start VOLUME`. A managed volume is started by itself.',
  StorageDegraded:
    '`kubectl describe osp NAME`: `status.components` names the part that is down. Bring it back; healing starts by itself.',
  QuorumLost: '`kubectl describe osp NAME` lists the parts that are down. Bring them back.',
  MountFailed:
    'Read the message. The host needs the client of the file system (`glusterfs-client`, `nfs-common`), and must reach the servers.',
  MountLost:
    'It is mounted again by itself as soon as no machine on the host uses it: stop those machines, then start them again.',
  StorageUnresponsive:
    'Bring the storage server or the network to it back. Machines that use it wait meanwhile and then go on; nothing else on the host waits.',
  NetworkNotReady: '`kubectl describe ovn NAME`: `status.hosts` says why, host by host.',
  DiskInUse: 'Stop the machine that has it, or take the disk out of its `spec.disks`.',
  DiskOnAnotherHost:
    'Disks of a HostLocal pool cannot meet across hosts: use disks of one host, or a Shared pool.',
  DownloadFailed: 'Fetch the URL by hand from where the operator runs; mind proxies, certificates and DNS.',
  ImageTruncated: 'Check the server; the operator tries again.',
  CrashLoop:
    'Look at the serial console (`virsh console`). Set `powerState: PoweredOff` to stop the attempts.',
  Crashed: 'Look at the serial console and at `/var/log/libvirt/qemu/` on the host.',
  PowerStateUnknown: 'See HostUnreachable.',
  MissingOnHost:
    'With `driftPolicy: Enforce` a machine comes back by itself; otherwise define it again or delete the object.',
  DriftDetected: 'Set `driftPolicy: Enforce` to have it put right, or change the spec to what is there.',
  RequestFailed: 'Read the message; look at the journal of libvirt on the host.',
  InternalError: 'Look at the log of the operator, and report the line `pass failed on a defect`.',

  HostPoolNotFound:
    'Check the name, and `allowedNamespaces` of the HostPool against the labels of the namespace. Absent and forbidden look the same on purpose.',
  StoragePoolNotFound: 'Check the name, and `allowedNamespaces` of the StoragePool.',
  NetworkNotFound: 'Check the name, and `allowedNamespaces` of the VirtualNetwork.',
  NetworkNotInPool: 'Add a backend for the HostPool to the VirtualNetwork.',
  MacAddressTaken:
    'Leave `macAddress` out, or choose one that no other machine has on that network. A card that a machine has already stays.',
  StorageNotInPool: 'Add the HostPool to `hostPoolRefs` of the StoragePool.',
  StorageRoleMissing:
    'Add the role (Disks, Images or ISO) to `roles` of the StoragePool, or use another pool.',
  SizeNotFound: '`kubectl get ovs` lists the sizes.',
  ImageNotFound:
    '`kubectl get oimg -n NAMESPACE` lists the images; those of other namespaces cannot be used.',
  ImageFormatUnsuitable: 'Disks take qcow2 and raw images, CD-ROM drives take iso.',
  DiskNotFound: '`kubectl get odisk -n NAMESPACE` lists the disks.',
  DiskNameTaken: 'Rename the machine or the disk, or attach the existing disk by `diskRef`.',
  DiskSmallerThanImage: 'Make `size` at least the virtual size of the image (`kubectl get oimg`).',
  SecretNotFound: 'Make the Secret: of a host in the namespace of the operator, of a tenant in its own.',
  SecretInvalid: 'Correct the Secret; [hosts.md](hosts.md) lists the keys.',
  HostKeyMismatch:
    'If the host was installed anew, put its new key into `known_hosts` of the Secret. If it was not, somebody may be in between.',
  CertificateInvalid:
    'Renew the certificate that the message names, or correct the name in the URI; then change the Secret.',
  CredentialsRefused:
    'Of a host: try the same key by `ssh`; check `authorized_keys`, and that the user may use libvirt ([hosts.md](hosts.md)). Of an image: correct its Secret, which is looked at every ten seconds; the server itself is asked again after five to ten minutes.',
  InvalidUri: 'Correct the URI in the HostPool; [hosts.md](hosts.md) shows the forms.',
  Unsupported:
    'Take the field out of the spec, or use another host; `status.capabilities` of each Host says what it can.',
  UnsupportedByHost: 'Take the field out of the spec, or make the machine anew on a host that can.',
  RequiresRecreate: 'Set the field back, or delete the machine and make it again. Disks of their own stay.',
  CapabilityMissing: 'Compare the spec with `status.capabilities` of the Hosts.',
  ImageUrlRefused:
    'Private, loopback and link-local addresses are refused: start the operator with `OVCP_IMAGE_ALLOW_CIDR`, or serve the image elsewhere.',
  ImageUrlNotFound: 'Correct the URL: make another image, since an image never changes.',
  ImageRedirectLoop: 'Correct the server or the URL.',
  ImageChecksumMismatch:
    'Compute the checksum of the file as it is served (compressed, if it is), and make another image.',
  ImageFormatRefused:
    'Convert it: `qemu-img convert -O qcow2`. Backing files, external data files and encryption are refused.',
  ImageTooLarge: 'Raise `maxImageSize` of the StoragePool, or use a smaller image.',
  CloudInitTooLarge: 'Let cloud-init fetch the rest (`#include`), or shorten it.',
  CloudInitInvalid: 'Check it with `cloud-init schema`.',
  PathNotFound: 'Make or mount the folder on the host.',
  MarkerMissing:
    'Mount the share on the host that the message names. If the share was replaced on purpose, make a new StoragePool.',
  VolumeNotFound: 'Correct the name, or use `management: Manage` to have the volume made.',
  LayoutUnsuitable: 'Read the message. The layout of a volume that holds data stays as it is.',
  OptionRefused: 'Take the option out of `spec.gluster.options`, or correct its value.',
  PeerInOtherCluster:
    'Take the server out of the other cluster by `gluster peer detach`, or use another one.',
  SoftwareMissing:
    'Install it; [storage-servers.md](storage-servers.md) lists what each kind of server needs.',
  BrickUnsuitable: 'Read the message; make the folder on a file system of its own, or set `force`.',
  BrickInUse:
    'Use another folder. If its content is not needed, delete the folder with all that is in it on the server, `.glusterfs` too, and make it anew.',
  SudoRefused: 'Install the sudo rules of [storage-servers.md](storage-servers.md) on the server.',
  BridgeNotFound: 'Make the bridge on the host, or correct its name in the VirtualNetwork.',
  NotInPool: 'Add the host to its HostPool, or delete the Host.',
  Invalid: 'Read the message and change the spec.',

  NameTaken: 'Rename the object, or remove the other thing on the host by hand if nobody needs it.',
  IdentityConflict:
    'After a restore from a backup: the machine on the host belongs to the old object. It is left alone; undefine it by hand if nobody needs it, and the new one is made.',
  SplitBrain: 'Find out which one is right, and `virsh destroy` and `virsh undefine` the other by hand.',
  VolumeLost:
    'If its data is gone for good, delete the disks and the StoragePool. Bricks are left as they are: what is on them can be read there.',
  FilesInSplitBrain:
    'Stop the machines that use the files. On a server: `gluster volume heal VOLUME info split-brain` lists them, and `gluster volume heal VOLUME split-brain source-brick HOST:BRICK FILE` chooses a copy.',
  DuplicateHost: 'Take one of the two entries out. Two pools may not share a host.',
  ClaimedByOther:
    'Another installation manages the host. If that one is gone for good: `virsh nwfilter-undefine ovcp-claim` on the host.',
  DeclaredDown: 'Nothing, if it is true. A host that is back: remove `spec.declaredDown`.',
  HostLost: 'Delete the object, or restore its data from a backup.',
  DiskLost: 'Delete the disk and restore its data from a backup.',
  ImportFailed: 'Read the message; delete the image and make another one.',
  StatusUnreadable: 'Run the version of the operator that wrote it, or a newer one.',
} as const satisfies Readonly<Record<Exclude<Reason, NeedsNothing>, string>>;

const order: readonly ReasonCategory[] = [
  'UnrecoverableError',
  'InvalidConfiguration',
  'TransientError',
  'Progressing',
  'Healthy',
];

const headings: Readonly<Record<ReasonCategory, readonly [string, string]>> = {
  UnrecoverableError: ['A person has to decide', 'The operator does nothing more until you have.'],
  InvalidConfiguration: [
    'Change something',
    'The operator waits for a change of the spec, a Secret or a pool.',
  ],
  TransientError: ['It is tried again', 'The operator tries again by itself, ever more slowly.'],
  Progressing: ['The operator is at it', 'Wait. What is to be done when it lasts stands beside it.'],
  Healthy: ['All is well', 'Nothing is to be done.'],
};

const adviceFor = (reason: string): string =>
  Object.hasOwn(advice, reason) ? advice[reason as keyof typeof advice] : 'Nothing.';

const escape = (text: string): string => text.replaceAll('|', '\\|');

const section = (category: ReasonCategory): string[] => {
  const [title, text] = headings[category];
  const rows = Object.entries(reasonTable).filter(([, info]) => info.category === category);
  return [
    `## ${title}`,
    '',
    text,
    '',
    '| reason | what it means | what to do |',
    '|---|---|---|',
    ...rows.map(([reason, { doc }]) => `| ${reason} | ${escape(doc)} | ${escape(adviceFor(reason))} |`),
    '',
  ];
};

const introduction = [
  '# Troubleshooting',
  '',
  'Look in this order:',
  '',
  '1. `kubectl get ovm -A -o wide`: the column Reason says what the matter is, Message says it in a sentence.',
  '2. `kubectl describe ovm NAME -n NAMESPACE`: every condition, what is pending, and the events.',
  '3. `kubectl get ohp,oh,osp,ovn`: most troubles of many machines are one trouble of a host, pool or network.',
  '4. The log of the operator: JSON lines. `key` is the object.',
  '5. `virsh` on the host. Domains are named `<namespace>.<name>.<first 8 of the uid>`.',
  '',
  'To keep the operator from acting on an object while you work on it:',
  '',
  '```sh by-hand: NAME and NAMESPACE are yours',
  'kubectl annotate ovm NAME -n NAMESPACE ovcp.dev/paused="who and why"',
  'kubectl annotate ovm NAME -n NAMESPACE ovcp.dev/paused-',
  '```',
  '',
  `Conditions: ${Object.keys(conditionTypes).join(', ')}. What each says is in [reference/reasons.md](reference/reasons.md). Reasons are listed below, the worst first.`,
  '',
];

/** `header` is the first line of everything generated. */
export const troubleshootingPage = (header: string): string =>
  [header, ...introduction, ...order.flatMap(section)].join('\n');
