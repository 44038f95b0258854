/** The order of test files: those that take minutes begin first, so that none of them is left over at the end. */
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** The longest first. A file that is not here takes less than a minute; with what vitest remembers it would need a run before. */
const long: readonly string[] = [
  'test/contract/disk-server-contract.test.ts',
  'test/faults/crash-sweep.test.ts',
  'test/e2e/kvm.test.ts',
  'test/integration/iscsi/lio.test.ts',
  'test/e2e/nfs.test.ts',
  'test/e2e/demo.test.ts',
  'test/e2e/gluster.test.ts',
  'test/e2e/moves.test.ts',
  'test/e2e/iscsi.test.ts',
  'test/faults/budget.test.ts',
  'test/contract/driver-contract.test.ts',
  'test/faults/rivals.test.ts',
  'test/faults/hosts.test.ts',
  'test/integration/controllers/infra-trouble.test.ts',
  'test/integration/lab/kvm-hosts.test.ts',
  'test/integration/lab/guest-host.test.ts',
];

const rankOf = ({ moduleId }: TestSpecification): number => {
  const at = long.findIndex((file) => moduleId.endsWith(`/${file}`));
  return at === -1 ? long.length : at;
};

/** vitest takes a class and nothing else. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
