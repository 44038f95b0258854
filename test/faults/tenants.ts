/** A tenant with a pool of one host, and a victim in another namespace whose machine runs on the same host. */
import { diskVolumeName, vmUuid } from '../../src/api/identity.ts';
import { type DiskShape, filesOf } from '../../src/drivers/hypervisor/shape.ts';
import type { SimulatedVolume } from '../../src/drivers/hypervisor/simulated/state.ts';
import type { Thing } from './api.ts';
import { CLUSTER, type Lab } from './lab.ts';
import { blank, machine, namespace } from './objects.ts';
import { type Scene, setScene } from './scene.ts';

/** Namespaces; the first is the name of the pools too. */
export const tenant = 'tenant';
export const victim = 'victim';
/** Machines that are gone at once. */
export const hard = { shutdown: { mode: 'Hard', timeoutSeconds: 1 } };

export interface Tenants {
  readonly scene: Scene;
  ready(kind: 'VirtualMachine' | 'VirtualDisk', name: string, at?: string): Promise<Thing>;
  uidOf(kind: 'VirtualMachine' | 'VirtualDisk' | 'VirtualMachineImage', name: string, at?: string): string;
  /** All that lies on the host. */
  volumes(): ReadonlyMap<string, SimulatedVolume>;
  runningDisks(name: string, at?: string): readonly DiskShape[];
  /** Paths of the files that the first disk of a running machine stands on, nearest first. */
  filesOf(name: string): readonly string[];
  /** Volume of the victim's disk. */
  preysVolume(): string;
  /** Writes into the status of one of the tenant's objects. */
  forge(kind: 'VirtualMachine' | 'VirtualDisk', name: string, status: object): Promise<Thing>;
  restart(name: string): Promise<void>;
  drop(name: string): Promise<void>;
}

export const setTenants = async (lab: Lab): Promise<Tenants> => {
  const scene = await setScene(lab, tenant, { hosts: [{ name: 'only' }] });
  const ready: Tenants['ready'] = (kind, name, at = tenant) =>
    lab.api.until(`${kind} ${at}/${name} is ready`, () => {
      const it = lab.api.get(kind, name, at);
      const good = it?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
      return good === true && it?.status?.observedGeneration === it?.metadata.generation ? it : undefined;
    });
  const uidOf: Tenants['uidOf'] = (kind, name, at = tenant) => {
    const uid = lab.api.get(kind, name, at)?.metadata.uid;
    if (uid === undefined) throw new Error(`no ${kind} ${at}/${name}`);
    return uid;
  };
  await lab.api.apply(
    namespace(victim),
    machine('prey', victim, tenant, { disks: [blank('root', tenant, { size: '7Gi' })], ...hard }),
  );
  await ready('VirtualMachine', 'prey', victim);
  const runningDisks: Tenants['runningDisks'] = (name, at = tenant) =>
    lab.world.hand.machine(vmUuid(CLUSTER, uidOf('VirtualMachine', name, at)))?.machine.running?.disks ?? [];
  return {
    scene,
    ready,
    uidOf,
    volumes: () => new Map([...lab.world.get('only').directories.values()].flatMap((it) => [...it.volumes])),
    runningDisks,
    filesOf: (name) => {
      const [disk] = runningDisks(name);
      return disk === undefined ? [] : filesOf(disk.attachment).map(({ path }) => path);
    },
    preysVolume: () => diskVolumeName(uidOf('VirtualDisk', 'prey.root', victim), 'qcow2'),
    forge: (kind, name, status) => lab.api.patch(kind, name, tenant, { status }, 'status'),
    restart: async (name) => {
      await scene.patch(name, { powerState: 'PoweredOff' });
      await scene.told('VirtualMachine', name, 'Ready', 'True', 'PoweredOff');
      await scene.patch(name, { powerState: 'PoweredOn' });
      await scene.told('VirtualMachine', name, 'Ready', 'True', 'Running');
    },
    drop: async (name) => {
      await lab.api.remove('VirtualMachine', name, tenant);
      await scene.gone('VirtualMachine', name);
    },
  };
};
