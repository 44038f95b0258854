/** What a benchmark hands back, and how it is shown: a table for people, JSON for machines, a page for the docs. */

/** One measured number with its gate. `gate` absent: a comparison or a fact that has none. */
export interface Figure {
  /** Which row of the table it belongs to, such as `api-writes`. */
  readonly row: string;
  /** What was measured, one line. */
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly gate?: Gate;
  /** What it was compared with in the same run, or how it was measured. */
  readonly note?: string;
}

export interface Gate {
  readonly kind: 'atMost' | 'atLeast';
  readonly limit: number;
  /** `aim`: worth reaching, and no condition. */
  readonly weight: 'gate' | 'aim';
}

export const atMost = (limit: number): Gate => ({ kind: 'atMost', limit, weight: 'gate' });
export const atLeast = (limit: number): Gate => ({ kind: 'atLeast', limit, weight: 'gate' });
export const aim = (limit: number): Gate => ({ kind: 'atLeast', limit, weight: 'aim' });

export const isMet = ({ value, gate }: Figure): boolean =>
  gate === undefined || (gate.kind === 'atMost' ? value <= gate.limit : value >= gate.limit);

/** A row that could not be measured here, and why. */
export interface Skipped {
  readonly row: string;
  readonly why: string;
}

/** When a row was measured, and what else the machine had to do. */
export interface RowRun {
  readonly row: string;
  /** RFC 3339. */
  readonly startedAt: string;
  readonly seconds: number;
  /** Of one minute, before it began. The row's own servers are in the one at its end. */
  readonly loadBefore: number;
  readonly loadAfter: number;
}

export interface Report {
  readonly machine: string;
  readonly runs: readonly RowRun[];
  readonly figures: readonly Figure[];
  readonly skipped: readonly Skipped[];
}

const number = (value: number): string => {
  if (!Number.isFinite(value)) return String(value);
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits);
};

const gateText = ({ gate, unit }: Figure): string => {
  if (gate === undefined) return '';
  const sign = gate.kind === 'atMost' ? '≤' : '≥';
  const words = `${sign} ${number(gate.limit)}${unit === '' ? '' : ` ${unit}`}`;
  return gate.weight === 'aim' ? `aim ${words}` : words;
};

const verdict = (figure: Figure): string => {
  if (figure.gate === undefined) return '';
  if (isMet(figure)) return 'met';
  return figure.gate.weight === 'aim' ? 'below the aim' : 'MISSED';
};

const headings = ['row', 'what', 'measured', 'gate', '', 'beside it'] as const;

const cells = (figure: Figure): readonly string[] => [
  figure.row,
  figure.what,
  `${number(figure.value)}${figure.unit === '' ? '' : ` ${figure.unit}`}`,
  gateText(figure),
  verdict(figure),
  figure.note ?? '',
];

export const table = ({ figures, skipped }: Pick<Report, 'figures' | 'skipped'>): string => {
  const rows: readonly (readonly string[])[] = [headings, ...figures.map(cells)];
  const widths = headings.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [...lines, ...skipped.map(({ row, why }) => `${row}  not measured: ${why}`)].join('\n');
};

const markdownRow = (row: readonly string[]): string =>
  `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;

const runCells = ({ row, startedAt, seconds, loadBefore, loadAfter }: RowRun): readonly string[] => [
  row,
  startedAt.slice(0, 16).replace('T', ' '),
  `${Math.ceil(seconds / 60)} min`,
  loadBefore.toFixed(1),
  loadAfter.toFixed(1),
];

/** The page of the docs. */
export const page = (report: Report): string =>
  [
    '# Figures',
    '',
    'What `make bench` measured, written by that command (`node test/bench/main.ts --page`). Counts are exact on',
    'every machine; times and rates are those of the machine below, with the API server, etcd, the load and whatever',
    'else ran there: a load average above the number of cores says that they had to share them.',
    '',
    `Measured on ${report.machine}.`,
    '',
    markdownRow(headings),
    markdownRow(headings.map(() => '---')),
    ...report.figures.map((figure) => markdownRow(cells(figure))),
    ...(report.skipped.length === 0
      ? []
      : ['', 'Not measured:', '', ...report.skipped.map(({ row, why }) => `- ${row}: ${why}`)]),
    '',
    '## When each row was measured',
    '',
    markdownRow(['row', 'begun (UTC)', 'took', 'load average before', 'at its end']),
    markdownRow(Array.from({ length: 5 }, () => '---')),
    ...report.runs.map((run) => markdownRow(runCells(run))),
    '',
  ].join('\n');

/** The value below which the share `q` (0 to 1) of the samples lies, by nearest rank. */
export const quantile = (samples: readonly number[], q: number): number => {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
};
