import { pidAlive, run } from './process.ts';

/** TEST-NET-1 to 3 of RFC 5737, cut into /28 pieces: one piece for one lab. */
const prefixes = ['192.0.2', '198.51.100', '203.0.113'];
const pieces = prefixes.flatMap((prefix) =>
  Array.from({ length: 16 }, (_, index) => ({ prefix, first: index * 16 })),
);
const maxHosts = 12;

/** One bridge in the root namespace with a /28 of its own; the machine itself is the piece's first address. */
export type LabNetwork = {
  bridge: string;
  prefixLength: 28;
  /** The machine's address on the bridge: where the lab's HTTP server can be reached from hosts and guests. */
  gateway: string;
  addressOf(index: number): string;
  /** Name of the root namespace's end of a host's cable. */
  portOf(index: number): string;
  remove(): Promise<void>;
};

type LinkJson = { ifname: string; ifalias?: string; master?: string };

const links = async (): Promise<LinkJson[]> => {
  const { stdout } = await run(['ip', '-json', 'link', 'show']);
  return JSON.parse(stdout) as LinkJson[];
};

type Range = { first: number; last: number };

/** `192.0.2.16/28` (or a lone address) as numbers; undefined for `default` and the like. */
export const rangeOf = (cidr: string): Range | undefined => {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)(?:\/(\d+))?$/.exec(cidr);
  if (match === null) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = match.slice(1, 5).map(Number);
  const size = 2 ** (32 - Number(match[5] ?? 32));
  const address = ((a * 256 + b) * 256 + c) * 256 + d;
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
};

type RouteJson = { dst: string };

/** Every destination this machine routes somewhere: a machine may well live in a documentation network itself. */
const routedRanges = async (): Promise<Range[]> => {
  const { stdout } = await run(['ip', '-json', '-4', 'route', 'show', 'table', 'all']);
  const routes = JSON.parse(stdout) as RouteJson[];
  return routes.flatMap((route) => rangeOf(route.dst) ?? []);
};

/** Takes away bridges whose lab was killed: nothing is plugged in and the process that made them is gone. */
const removeAbandoned = async (): Promise<void> => {
  const all = await links();
  for (const link of all) {
    const owner = /^ovcp-lab (\d+)$/.exec(link.ifalias ?? '')?.[1];
    if (owner === undefined || pidAlive(Number(owner))) continue;
    if (all.some((other) => other.master === link.ifname)) continue;
    await run(['ip', 'link', 'del', link.ifname], { allowFailure: true });
  }
};

/** Creating the link is the claim: the kernel refuses a second one of the same name. */
const claim = async (bridge: string, owner: number): Promise<boolean> => {
  const { code } = await run(['ip', 'link', 'add', bridge, 'type', 'bridge'], { allowFailure: true });
  if (code !== 0) return false;
  await run(['ip', 'link', 'set', bridge, 'alias', `ovcp-lab ${owner}`]);
  return true;
};

const describe = (bridge: string, prefix: string, first: number): LabNetwork => ({
  bridge,
  prefixLength: 28,
  gateway: `${prefix}.${first + 1}`,
  addressOf: (index) => {
    if (index >= maxHosts) throw new Error(`a lab has at most ${maxHosts} hosts`);
    return `${prefix}.${first + 2 + index}`;
  },
  portOf: (index) => `${bridge}p${index}`,
  remove: async () => {
    await run(['ip', 'link', 'del', bridge], { allowFailure: true });
  },
});

/** The network of a lab by the name of its bridge, for who did not make it. */
export const labNetworkOf = (bridge: string): LabNetwork => {
  const piece = pieces[Number(/^ovcp(\d+)$/.exec(bridge)?.[1] ?? -1)];
  if (piece === undefined) throw new Error(`${bridge} is no bridge of a lab`);
  return describe(bridge, piece.prefix, piece.first);
};

/** Makes the bridge of a new lab on the first free piece of the documentation networks. Throws when all are taken. */
export const createLabNetwork = async (owner: number = process.pid): Promise<LabNetwork> => {
  await removeAbandoned();
  const routed = await routedRanges();
  const overlaps = (piece: Range): boolean =>
    routed.some((range) => range.first <= piece.last && piece.first <= range.last);
  for (const [index, { prefix, first }] of pieces.entries()) {
    const bridge = `ovcp${index}`;
    const network = describe(bridge, prefix, first);
    const piece = rangeOf(`${prefix}.${first}/28`);
    if (piece === undefined || overlaps(piece)) continue;
    if (!(await claim(bridge, owner))) continue;
    await run(['ip', 'address', 'add', `${network.gateway}/28`, 'dev', bridge]);
    await run(['ip', 'link', 'set', bridge, 'up']);
    return network;
  }
  throw new Error('no free network for a lab: all 48 pieces of the documentation networks are taken');
};
