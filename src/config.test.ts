import { describe, expect, it } from 'vitest';
import { readConfig } from './config.ts';

const config = (argv: readonly string[], env: Record<string, string> = {}) => {
  const answer = readConfig(argv, env);
  if (answer.kind !== 'config') throw new Error(answer.kind === 'wrong' ? answer.message : answer.text);
  return answer.config;
};

const wrong = (argv: readonly string[], env: Record<string, string> = {}): string => {
  const answer = readConfig(argv, env);
  return answer.kind === 'wrong' ? answer.message : answer.kind;
};

describe('readConfig', () => {
  it('fills in what is not given', () => {
    expect(config(['--cluster-id', 'site'])).toEqual({
      clusterId: 'site',
      namespace: 'ovcp-system',
      healthAddress: { address: '0.0.0.0', port: 8080 },
      leaderElect: true,
      leaseName: 'ovcp-operator',
      leaseDurationSeconds: 15,
      leaseRenewDeadlineSeconds: 10,
      leaseRetrySeconds: 5,
      imageAllowCidr: [],
      logLevel: 'info',
      concurrency: 16,
    });
  });

  it('takes the environment, and a flag before it', () => {
    const env = { OVCP_CLUSTER_ID: 'a', OVCP_CONCURRENCY: '3', OVCP_LOG_LEVEL: 'debug', KUBECONFIG: '/k' };
    expect(config(['--log-level', 'warn'], env)).toMatchObject({
      clusterId: 'a',
      concurrency: 3,
      logLevel: 'warn',
      kubeconfig: '/k',
    });
  });

  it('takes lists from repeated flags and from commas, and an empty variable as absent', () => {
    const id = ['--cluster-id', 'a'];
    const flags = ['--image-allow-cidr', '10.0.0.0/8', '--image-allow-cidr', 'fd00::/8'];
    expect(config([...id, ...flags]).imageAllowCidr).toEqual(['10.0.0.0/8', 'fd00::/8']);
    expect(config(id, { OVCP_IMAGE_ALLOW_CIDR: '10.0.0.0/8, 127.0.0.0/8' }).imageAllowCidr).toEqual([
      '10.0.0.0/8',
      '127.0.0.0/8',
    ]);
    expect(config(id, { OVCP_IMAGE_ALLOW_CIDR: '' }).imageAllowCidr).toEqual([]);
  });

  it.each([
    ['127.0.0.1:0', { address: '127.0.0.1', port: 0 }],
    [':8080', { address: '0.0.0.0', port: 8080 }],
    ['[::1]:9', { address: '::1', port: 9 }],
  ])('reads the address %s', (text, expected) => {
    expect(config(['--cluster-id', 'a', '--health-address', text]).healthAddress).toEqual(expected);
  });

  it.each([
    [[], 'The cluster id is missing: give --cluster-id or OVCP_CLUSTER_ID, the same at every start.'],
    [
      ['--cluster-id', 'A B'],
      '--cluster-id (or OVCP_CLUSTER_ID) is wrong: must be of lower case letters, digits and dashes.',
    ],
    [
      ['--cluster-id', 'a', '--image-allow-cidr', '10.0.0.1'],
      '--image-allow-cidr (or OVCP_IMAGE_ALLOW_CIDR) is wrong: must be a network such as 192.168.0.0/16.',
    ],
    [
      ['--cluster-id', 'a', '--lease-duration-seconds', '8'],
      '--lease-duration-seconds (or OVCP_LEASE_DURATION_SECONDS) is wrong: must be longer than leaseRenewDeadlineSeconds.',
    ],
    [['--cluster-identity', 'a'], "Unknown option '--cluster-identity'. See --help."],
  ])('says in one sentence what is wrong with %j', (argv, sentence) => {
    expect(wrong(argv)).toBe(sentence);
  });

  it('has every setting in its help', () => {
    const answer = readConfig(['--help'], {});
    if (answer.kind !== 'help') throw new Error(answer.kind);
    for (const name of [
      '--cluster-id',
      '--lease-name',
      '$KUBECONFIG',
      '$OVCP_IMAGE_ALLOW_CIDR',
      'required',
    ]) {
      expect(answer.text).toContain(name);
    }
  });
});
