/**
 * OVCP on real libvirt and QEMU, sentence by sentence. One lab for all; each part leaves its machines to the next, so
 * the order matters. What is true is asked of virsh, qemu-img and the guests, never of the code under test.
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe } from 'vitest';
import { type Lab, startLab } from './harness/lab.ts';
import { badInput } from './scenarios/bad-input.ts';
import { deletion, leftovers } from './scenarios/deletion.ts';
import { applyBox, devices } from './scenarios/devices.ts';
import { disks } from './scenarios/disks.ts';
import { drift } from './scenarios/drift.ts';
import { hosts } from './scenarios/hosts.ts';
import { bridged, networks } from './scenarios/networks.ts';
import { power } from './scenarios/power.ts';
import { quickstarted, quickstartFiles } from './scenarios/quickstart.ts';
import { sweep } from './scenarios/sweep.ts';
import { trouble } from './scenarios/trouble.ts';

describe('OVCP on KVM hosts', () => {
  let started: Lab | undefined;
  const lab = (): Lab => {
    if (started === undefined) throw new Error('the lab did not start');
    return started;
  };

  beforeAll(async () => {
    started = await startLab();
    await started.startOperator();
  });
  afterAll(async () => started?.stop());

  hosts(lab);
  quickstarted(lab, quickstartFiles(readdirSync('deploy/samples/quickstart')), applyBox);
  networks(lab);
  devices(lab);
  disks(lab);
  badInput(lab);
  bridged(lab);
  drift(lab);
  power(lab);
  trouble(lab);
  sweep(lab);
  deletion(lab);
  leftovers(lab);
});
