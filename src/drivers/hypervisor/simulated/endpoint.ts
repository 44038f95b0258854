/** How a simulated host is written as an endpoint: what it has is in the query of its URI. */
import type { HostEndpoint } from '../contract.ts';
import type { SimulatedHost, SimulatedHostSettings } from './state.ts';

/** What `reconfigure` takes for a simulated host; credentials are not looked at. */
export const simulatedEndpoint = ({
  name,
  cpus,
  memoryMiB,
  latencyMs,
}: SimulatedHostSettings): HostEndpoint => {
  const query = { cpus: String(cpus), memoryMiB: String(memoryMiB), latencyMs: String(latencyMs ?? 0) };
  return { host: name, uri: `simulated://${name}/?${new URLSearchParams(query).toString()}` };
};

/** What the endpoint says, and for the rest what the host had before. */
export const settingsOf = (
  { host, uri }: HostEndpoint,
  known: SimulatedHost | undefined,
): SimulatedHostSettings => {
  const query = new URL(uri).searchParams;
  const number = (key: string): number | undefined => {
    const value = query.get(key);
    return value === null || !Number.isFinite(Number(value)) ? undefined : Number(value);
  };
  const before = known?.settings;
  return {
    ...before,
    name: host,
    cpus: number('cpus') ?? before?.cpus ?? 1,
    memoryMiB: number('memoryMiB') ?? before?.memoryMiB ?? 1024,
    latencyMs: number('latencyMs') ?? before?.latencyMs,
  };
};
