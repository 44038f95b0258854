import { describe, expect, it } from 'vitest';
import { decide } from './decide.ts';
import { sampleMachine, sampleSight, sampleSighting, sampleWorld } from './sample-world.ts';

describe('the cloud-init seed of a machine that runs', () => {
  const told = (status: 'True' | 'False', observedGeneration: number) => ({
    observedGeneration: 2,
    host: 'kvm.node1',
    conditions: [
      {
        type: 'Ready',
        status,
        reason: status === 'True' ? 'Running' : 'SecretNotFound',
        message: '',
        lastTransitionTime: '2026-01-01T00:00:00Z',
        observedGeneration,
      },
    ],
  });
  const at = (status: 'True' | 'False', observedGeneration: number) => {
    const metadata = { generation: 2 };
    const spec = { cloudInit: { userData: '#cloud-config\n' } };
    const vm = sampleMachine(spec, { metadata, status: told(status, observedGeneration) });
    const world = sampleWorld(vm);
    const sighting = sampleSighting(world, { kind: 'running' });
    const { plan } = decide(world, { ...sampleSight([sighting]), seed: { kind: 'keep' } });
    return plan.kind === 'step' ? plan.step.kind : undefined;
  };

  it('is looked at until this very spec was told to be as wished, whatever status was written meanwhile', () => {
    expect(at('False', 2)).toBe('renderSeed');
    expect(at('True', 1)).toBe('renderSeed');
    expect(at('True', 2)).toBeUndefined();
  });
});
