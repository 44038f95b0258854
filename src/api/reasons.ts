/**
 * What is to be done about a reason:
 * - `Healthy`              nothing.
 * - `Progressing`          wait: the operator is at it.
 * - `TransientError`       wait, or look at the host or server named: the operator tries again by itself.
 * - `InvalidConfiguration` change the spec, a Secret or a pool.
 * - `UnrecoverableError`   a person has to decide.
 */
export type ReasonCategory =
  | 'Healthy'
  | 'Progressing'
  | 'TransientError'
  | 'InvalidConfiguration'
  | 'UnrecoverableError';

/** A category and one sentence for the documentation. */
export interface ReasonInfo {
  readonly category: ReasonCategory;
  readonly doc: string;
}

const table = <Table extends Readonly<Record<string, string>>>(
  category: ReasonCategory,
  docs: Table,
): Readonly<Record<keyof Table, ReasonInfo>> =>
  Object.fromEntries(Object.entries(docs).map(([name, doc]) => [name, { category, doc }])) as Record<
    keyof Table,
    ReasonInfo
  >;

const healthy = table('Healthy', {
  Ready: 'The object is as its spec says.',
  Running: 'The machine runs.',
  PoweredOff: 'The machine is stopped, as its spec asks.',
  GuestPoweredOff: 'The guest powered itself off, and the restart policy leaves it so.',
  Placed: 'A host has been chosen, and its resources are reserved.',
  Reconciled: 'Nothing is left to do.',
  Synced: 'The machine or network is exactly what the spec says.',
  DriftIgnored: 'Someone changed the machine on its host, and the drift policy leaves it so.',
  Reachable: 'The host answers.',
  Schedulable: 'New machines may be placed on the host.',
  Claimed: 'The host belongs to this installation.',
  AgentConnected: 'The guest agent answers.',
  Attached: 'A machine uses the disk.',
  Available: 'The disk exists and nobody uses it.',
  GrowsAtPowerCycle:
    'The disk grows when its machine is next stopped; its storage server cannot do it before.',
  WaitingForFirstUse: 'The disk is made on the host of the first machine that uses it; waiting is healthy.',
  NotNeeded: 'The object asks for nothing of this sort.',
  NotPaused: 'The operator acts on the object.',
  NotStalled: 'Nothing keeps the operator from going on.',
});

const progressing = table('Progressing', {
  Pending: 'The operator has not looked at the object yet.',
  Creating: 'The object is being made.',
  Starting: 'The machine is being started.',
  Stopping: 'The machine is being stopped; the guest may take as long as shutdown allows.',
  Restarting: 'The machine is being stopped and started again, as asked.',
  Deleting: 'What the object stands for is being removed.',
  Updating: 'A change of the spec is being applied.',
  Connecting: 'A connection to the host is being made.',
  Importing: 'The image is being fetched.',
  Copying: 'The disk is being filled from an image or another disk.',
  Growing: 'The disk is being grown.',
  Publishing: 'The storage server is letting the host of the machine in, or the one before it out.',
  Attaching: 'A disk, card or CD is being attached.',
  Detaching: 'A disk, card or CD is being detached.',
  WaitingForImage: 'An image is not there yet.',
  WaitingForDisk: 'A disk is not there yet.',
  WaitingForNetwork: 'A network is being set up on the host.',
  WaitingForDependents: 'Other objects still use this one; it goes once they are gone.',
  WaitingForDetach: 'The disk is still attached to a machine.',
  RequiresNetworkRestart:
    'The network changed, and goes on as it was on hosts where it runs until it is started anew there.',
  RequiresPowerCycle: 'A change of the spec is applied when the machine is next stopped and started.',
  AgentNotConnected: 'The guest agent has not answered; it may not be installed.',
  Paused: 'The annotation ovcp.dev/paused keeps the operator from acting.',
  Unschedulable: 'The administrator set unschedulable: no new machine is placed on the host.',
  Leaving: 'The host was taken out of its pool and still holds machines.',
  Healing: 'Copies on the storage servers are being brought up to date.',
  Rebalancing: 'The storage servers are moving data between bricks.',
});

const transient = table('TransientError', {
  HostUnreachable: 'The host does not answer; what is on it is unknown, and nothing is started elsewhere.',
  HostNotReady: 'The host answers, but is not ready.',
  NoHostsReady: 'No host of the pool is ready.',
  SomeHostsNotReady: 'Some hosts of the pool are not ready.',
  NoHostFits: 'No host has room for the machine or what it needs; status.unplaced says why, host by host.',
  StorageNotReady: 'The storage pool cannot be used on the host now.',
  StoragePoolFull: 'The storage pool has no room left.',
  StoragePoolNearlyFull: 'The storage pool is nearly full.',
  ServerUnreachable: 'A storage server does not answer; what hosts have mounted goes on.',
  ServerDown: 'A storage server is down, or is not connected to the others.',
  BrickDown: 'A brick of the volume is down; what it holds is elsewhere too, or cannot be reached.',
  RebalanceFailed: 'Some files could not be moved between bricks; all of them can be used.',
  HealUnknown: 'How much waits for healing cannot be found out now.',
  VolumeStopped: 'The volume exists and is stopped.',
  StorageDegraded: 'The storage can be used, and a part of it is down.',
  QuorumLost: 'Too many parts of the storage are down for it to be used.',
  MountFailed: 'The storage cannot be mounted on the host.',
  MountLost: 'The storage was mounted on the host and is no longer.',
  StorageUnresponsive: 'The host waits for the storage and gets no answer.',
  NetworkNotReady: 'The network cannot be used on the host now.',
  DiskInUse: 'Another machine uses the disk.',
  DiskOnAnotherHost: 'The disks of the machine are bound to different hosts.',
  DownloadFailed: 'The image could not be fetched; the message says why, and it is tried again.',
  ImageTruncated: 'The server closed the connection before the image was complete.',
  CrashLoop: 'The guest keeps going down; starting it again takes longer each time.',
  Crashed: 'The guest crashed.',
  PowerStateUnknown: 'Whether the machine runs cannot be found out now.',
  MissingOnHost: 'The machine or disk was removed on its host by someone else.',
  DriftDetected: 'Someone changed the machine on its host; the drift policy only reports it.',
  RequestFailed: 'A host or server answered with an error; it is tried again.',
  InternalError: 'The operator made a mistake; its log says more, and it tries again.',
});

const invalid = table('InvalidConfiguration', {
  HostPoolNotFound: 'The HostPool does not exist, or this namespace may not use it.',
  StoragePoolNotFound: 'The StoragePool does not exist, or this namespace may not use it.',
  NetworkNotFound: 'The VirtualNetwork does not exist, or this namespace may not use it.',
  NetworkNotInPool: 'The VirtualNetwork has no backend for the HostPool of the machine.',
  MacAddressTaken:
    'Another card on the same network has the MAC address; choose another one, or leave it out.',
  StorageNotInPool: 'The StoragePool is not reached by the HostPool of the machine.',
  StorageRoleMissing: 'The StoragePool does not take content of this sort.',
  SizeNotFound: 'The VirtualMachineSize does not exist.',
  ImageNotFound: 'The VirtualMachineImage does not exist in this namespace.',
  ImageFormatUnsuitable: 'An ISO image is used for a disk, or a disk image for a CD-ROM.',
  DiskNotFound: 'The VirtualDisk does not exist in this namespace.',
  DiskNameTaken: 'A VirtualDisk of the name the template asks for exists already and is not ours.',
  DiskSmallerThanImage: 'The disk asked for is smaller than what it is made from.',
  SecretNotFound: 'The Secret does not exist; it is looked for again.',
  SecretInvalid: 'The Secret lacks a key or holds something unreadable.',
  HostKeyMismatch: 'The SSH key of the host is not the one in the Secret.',
  CertificateInvalid:
    'A TLS certificate is expired, not yet valid, for another name or of another authority.',
  CredentialsRefused: 'The host or server refuses the credentials.',
  InvalidUri: 'The connection URI cannot be used.',
  Unsupported: 'The host or its driver cannot do this.',
  UnsupportedByHost: 'The host the machine is on cannot do what the spec asks.',
  RequiresRecreate: 'The change can only be had by making the machine anew.',
  CapabilityMissing: 'No host of the pool has what the machine needs.',
  ImageUrlRefused: 'The URL leads to an address that the configuration of the operator does not allow.',
  ImageUrlNotFound: 'The server says that there is no such file.',
  ImageRedirectLoop: 'The server redirects without end.',
  ImageChecksumMismatch: 'The file is not the one whose checksum is given.',
  ImageFormatRefused: 'The file is not of the format given, or of a sort that is refused.',
  ImageTooLarge: 'The virtual size of the image is beyond maxImageSize of the pool.',
  CloudInitTooLarge: 'The cloud-init data is beyond its limit.',
  CloudInitInvalid: 'The cloud-init data cannot be read.',
  PathNotFound: 'The folder of the StoragePool does not exist on the host.',
  MarkerMissing:
    'The folder of a shared StoragePool lacks its marker file: it is not mounted, or is another one.',
  VolumeNotFound: 'The volume does not exist on the storage servers.',
  LayoutUnsuitable: 'The volume has another layout than the spec, or one that cannot be had.',
  OptionRefused: 'An option of the volume is not one that may be set, or has no such value.',
  PeerInOtherCluster: 'A storage server belongs to another cluster already.',
  SoftwareMissing: 'A program that is needed is not installed on the storage server.',
  BrickUnsuitable: 'The folder of a brick cannot be used as it is.',
  BrickInUse: 'The folder of a brick is, or was, part of a volume already.',
  SudoRefused: 'The account on the storage server may not run what is needed by sudo.',
  BridgeNotFound: 'The bridge does not exist on the host.',
  NotInPool: 'The host is not listed in its HostPool.',
  Invalid: 'The spec cannot be met as it stands.',
});

const unrecoverable = table('UnrecoverableError', {
  NameTaken: 'Something of this name exists on the host and is not ours; it is left alone.',
  IdentityConflict:
    'The host holds this object under another uid; it may come from a restore and is left alone.',
  SplitBrain: 'The machine was found on more than one host; nothing is done until a person has decided.',
  VolumeLost: 'The volume was deleted on its servers; no other is made in its place.',
  FilesInSplitBrain: 'Copies of a file differ and none of them is the right one; a person has to choose.',
  DuplicateHost: 'The same host is listed twice.',
  ClaimedByOther: 'The host belongs to another installation.',
  DeclaredDown: 'The administrator declared the host to be gone for good.',
  HostLost: 'The host that held it was declared gone for good.',
  DiskLost: 'The disk was on a host that is gone for good, or its file is gone.',
  ImportFailed: 'The image cannot be used; make another one.',
  StatusUnreadable: 'The object cannot be read by this version of the operator.',
});

/** Every reason of every condition. */
export const reasonTable = { ...healthy, ...progressing, ...transient, ...invalid, ...unrecoverable };

/** The reason of a condition. */
export type Reason = keyof typeof reasonTable;

/** Each reason under its own name: `Reason.NoHostFits`. */
export const Reason = Object.fromEntries(Object.keys(reasonTable).map((name) => [name, name])) as {
  readonly [Name in Reason]: Name;
};

/** What is to be done about it; words we do not know (another version wrote them) have no category. */
export const categoryOf = (reason: string): ReasonCategory | undefined =>
  Object.hasOwn(reasonTable, reason) ? reasonTable[reason as Reason].category : undefined;

const missingReferences: ReadonlySet<string> = new Set<Reason>([
  'HostPoolNotFound',
  'StoragePoolNotFound',
  'NetworkNotFound',
  'SizeNotFound',
  'ImageNotFound',
  'DiskNotFound',
  'SecretNotFound',
]);

/** Whether the reason names an object that is not there: one `kubectl apply` may bring it a moment later. */
export const isMissingReference = (reason: string): boolean => missingReferences.has(reason);

/** What each condition type says when it is True. */
export const conditionTypes = {
  Ready: 'The object is as its spec says. A machine stopped on purpose is ready.',
  Reconciling: 'The operator is working on the object (kstatus).',
  Stalled: 'The operator cannot go on until somebody changes something (kstatus).',
  Paused: 'The annotation ovcp.dev/paused keeps the operator from acting.',
  Deleting: 'The object is being deleted; the message says what it waits for.',
  Running: 'The machine runs.',
  Placed: 'A host has been chosen for the machine.',
  StorageReady: 'All disks of the machine are there.',
  ImageReady: 'All images the machine needs are there.',
  NetworkReady: 'All networks of the machine are there on its host.',
  UpToDate: 'The machine or network is what the spec says, with nothing pending.',
  GuestAgentConnected: 'The guest agent answers.',
  Reachable: 'The host answers.',
  Schedulable: 'New machines may be placed on the host.',
  Claimed: 'The host belongs to this installation and to one pool only.',
} as const;

/** The type of a condition. */
export type ConditionType = keyof typeof conditionTypes;

/** Each condition type under its own name: `ConditionType.Ready`. */
export const ConditionType = Object.fromEntries(Object.keys(conditionTypes).map((name) => [name, name])) as {
  readonly [Name in ConditionType]: Name;
};
