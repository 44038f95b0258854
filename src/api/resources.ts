import { z } from 'zod';
import { int, quantity, rule } from './kit.ts';

/** An amount that is reported; it may be zero. */
export const machineMemory = () => quantity();

/** `sockets` × `cores` × `threads`; what is absent counts as one. */
export interface CpuTopology {
  readonly sockets?: number | undefined;
  readonly cores: number;
  readonly threads?: number | undefined;
}

/** Number of virtual CPUs of a topology. */
export const vcpusOf = (cpu: CpuTopology): number => (cpu.sockets ?? 1) * cpu.cores * (cpu.threads ?? 1);

/** Fields of a CPU topology. */
export const cpuShape = {
  sockets: int(1, 64).optional().describe('Number of sockets; absent means 1.'),
  cores: int(1, 512).describe('Cores per socket.'),
  threads: int(1, 8).optional().describe('Threads per core; absent means 1.'),
};

const AT_MOST = 512;

/** At most 512 virtual CPUs in all. */
export const withinVcpuLimit = <Schema extends z.ZodType<CpuTopology>>(schema: Schema): Schema =>
  rule(schema, {
    cel: `(has(self.sockets) ? self.sockets : 1) * self.cores * (has(self.threads) ? self.threads : 1) <= ${AT_MOST}`,
    message: `sockets × cores × threads must not exceed ${AT_MOST}`,
    js: (cpu) => vcpusOf(cpu) <= AT_MOST,
  });

/** CPU topology of a size. */
export const cpuTopology = () => withinVcpuLimit(z.object(cpuShape));
