import type { HostCredentials } from './kvm-host-credentials.ts';
import type { DaemonLayout } from './kvm-host-daemons.ts';
import type { LabNetwork } from './lab-network.ts';
import type { RunOptions, RunResult } from './process.ts';

export type KvmHostOptions = {
  name: string;
  /** `split`: only the sockets of virtqemud and its siblings, no libvirt-sock, no TLS. Default `single`. */
  daemons?: DaemonLayout;
  /** Leave a /dev/kvm node in the host, which need not be usable. Default false: emulation only. */
  kvm?: boolean;
};

export type KvmHostsOptions = {
  /** Folder for all state of all hosts; made when missing. Keep it short: sockets below it have 107 characters. */
  dir: string;
  hosts: readonly KvmHostOptions[];
  /** A lab's network to join; without one the hosts make their own, and take it away with the last of them. */
  network?: LabNetwork;
  /** Leave the hosts running when this process ends. */
  detached?: boolean;
};

export type KvmHost = {
  name: string;
  address: string;
  hostUuid: string;
  daemons: DaemonLayout;
  /** The machine's own address on the lab's bridge: servers for hosts and guests listen there. */
  gateway: string;
  /** Name of the lab's bridge on the machine. */
  bridge: string;
  /** libvirt's UNIX socket as seen from outside. */
  socketPath: string;
  /** Connection URIs as a HostPool takes them; `tls` is undefined with split daemons (virtproxyd would serve it). */
  uris: { unix: string; ssh: string; sshUser: string; tls: string | undefined };
  /** The same as complete URIs for virsh on the machine, with keys and pinned host key. */
  virshUris: { unix: string; ssh: string; tls: string | undefined };
  credentials: HostCredentials;
  /** Account in group libvirt that is not root; the same SSH key opens it. */
  unprivilegedUser: string;
  /** The host's folder for disks, as the host sees it: /var/lib/ovcp/disks. */
  diskDir: string;
  /** A folder that every host of the lab sees under this same path (an admin's shared mount). */
  sharedDir: string;
  /** Where a path below the host's private folders lies on the machine. */
  outside(path: string): string;
  /** Pid of the host's process 1 while it has power. */
  initPid(): number | undefined;
  /** Standard output of virsh over the UNIX socket; throws with its error. */
  virsh(...args: string[]): Promise<string>;
  /** The same for commands that take a description: `virshFile(xml, 'define')`, `virshFile(xml, 'attach-device', 'vm')`. */
  virshFile(xml: string, ...args: string[]): Promise<string>;
  /** Runs a program inside the host. */
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Stops libvirt's daemons in their tracks (SIGSTOP): the socket accepts and nobody answers. */
  pause(): void;
  resume(): void;
  /** Takes the network cable out and puts it back; guests go on. */
  cut(): Promise<void>;
  heal(): Promise<void>;
  /** Ends and starts libvirt's daemons; guests go on. */
  restartLibvirtd(): Promise<void>;
  /** SIGKILL to libvirt's daemons; guests go on, `startLibvirtd` finds them again. */
  killLibvirtd(): Promise<void>;
  startLibvirtd(): Promise<void>;
  /** Everything on the host, guests too, dies at once; /run is lost, disks and definitions stay. */
  powerLoss(): Promise<void>;
  powerOn(): Promise<void>;
  stop(): Promise<void>;
};
