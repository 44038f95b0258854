import { expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { operatorEnvironment } from './operator.ts';

it('gives the operator an environment that it takes', () => {
  const environment = operatorEnvironment({
    kubeconfig: '/lab/kubeconfig',
    logPath: '/lab/operator.log',
    port: 20_001,
    allowedImageRanges: ['198.51.100.1/32'],
  });
  expect(readConfig([], environment)).toMatchObject({
    kind: 'config',
    config: {
      clusterId: 'lab',
      namespace: 'ovcp-system',
      kubeconfig: '/lab/kubeconfig',
      healthAddress: { address: '127.0.0.1', port: 20_001 },
      imageAllowCidr: ['198.51.100.1/32'],
    },
  });
});
