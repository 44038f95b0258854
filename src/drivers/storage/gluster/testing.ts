/** Answers of real servers (glusterfs 10.3) by command, for unit tests. */
import { readFileSync } from 'node:fs';
import { Fault } from '../../../runtime/fault.ts';
import type { GlusterWish, PoolIdentity, ServerEndpoint, ServerSeen } from '../contract.ts';
import type { Gluster } from './command.ts';
import { seenOf } from './health.ts';
import { parseAnswer } from './parse.ts';
import { seeGluster } from './see.ts';

export const fixture = (name: string): string =>
  readFileSync(new URL(`fixtures/${name}.xml`, import.meta.url), 'utf8');

export const identity: PoolIdentity = {
  clusterId: 'lab',
  poolUid: '0b0c7d0e-0000-4000-8000-000000000001',
  poolName: 'gv0',
};

export const endpoints: readonly ServerEndpoint[] = ['g1', 'g2', 'g3'].map((name, index) => {
  const address = `192.0.2.${21 + index}`;
  return { name, address, ssh: { host: address, port: 22, user: 'root', credentials: {} } };
});

const setOf = (name: string, path = `/bricks/${name}`): GlusterWish['replicaSets'][number] => ({
  name,
  bricks: endpoints.map((endpoint, index) => ({ name: `${name}${index + 1}`, server: endpoint.name, path })),
});

export const setA = setOf('a');
export const setB = setOf('b');

export const wish: GlusterWish = {
  kind: 'gluster',
  management: 'Manage',
  volume: 'gv0',
  layout: { type: 'Replicate', replica: 3, arbiter: false },
  replicaSets: [setA],
  options: {},
  force: false,
  clients: ['192.0.2.31'],
};

/** The text of an answer, by the words of the command. */
export type Answers = Readonly<Record<string, string>>;

export const healthy: Answers = {
  'pool list': fixture('pool-list'),
  'volume info gv0': fixture('info'),
  'volume status gv0 detail': fixture('status-detail-gv0'),
  'volume status gv0': fixture('status-detail-gv0'),
  'volume heal gv0 info summary': fixture('heal-summary'),
};

/** The peers that g1 tells, as another server tells them: itself is `localhost`, and g1 has its address. */
const toldBy = (address: string, text: string): string => {
  const own = `<hostname>${address}</hostname>`;
  const first = '<hostname>192.0.2.21</hostname>';
  const blocks = text.split('</peer>').map((block) => {
    if (block.includes('<hostname>localhost</hostname>')) {
      const state = `<hostnames>${first}</hostnames><state>3</state>`;
      return block.replace('<hostname>localhost</hostname>', first + state);
    }
    if (!block.includes(own)) return block;
    return block
      .replace(/<hostname>.*<\/hostnames>/s, '<hostname>localhost</hostname>')
      .replace('<connected>0', '<connected>1');
  });
  return address === '192.0.2.21' ? text : blocks.join('</peer>');
};

/** A sweep over servers of which `silent` do not answer; each command that was asked goes to `asked`. */
export const sweep = async (
  answers: Answers,
  { wish: wanted = wish, silent = [] as readonly string[], asked = [] as string[] } = {},
): Promise<ServerSeen> => {
  const members = endpoints.map((endpoint) => {
    const ask: Gluster['ask'] = async (words) => {
      asked.push(`${endpoint.name}: ${words.join(' ')}`);
      const text = answers[words.join(' ')];
      if (silent.includes(endpoint.name) || text === undefined) {
        const message = `The server ${endpoint.name} cannot be asked: silence`;
        throw new Fault('unreachable', message, { reason: 'ServerUnreachable' });
      }
      return parseAnswer(words[0] === 'pool' ? toldBy(endpoint.address, text) : text);
    };
    const refuse = async (): Promise<never> => {
      throw new Fault('bug', 'a sweep asks for nothing else');
    };
    return { endpoint, gluster: { server: endpoint.name, ask, tell: ask, list: refuse, mountPoint: refuse } };
  });
  return seenOf(identity, wanted, await seeGluster(members, wanted.volume, new AbortController().signal));
};
