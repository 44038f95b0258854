/**
 * A guest that is up at once even where its processor is emulated twice: one boot sector. It counts its boots on every
 * disk that the firmware shows, and says over and over on the first serial port what it found, one line for each disk:
 * `ovcp-proof disk=80 boots=0001 sectors=00000800` (hexadecimal; 80 is the first disk, boots include this one).
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type RunOptions, type RunResult, waitUntil } from './process.ts';

/** Where a disk says that the guest ran on it: 16 characters, and then how often, 2 bytes, little endian. */
export const proofMarker = { offset: 512, text: 'ovcp-proof-guest' } as const;

const SECTOR = 512;
/** Smallest image that no tool takes for an empty one. */
const IMAGE_BYTES = 1024 ** 2;

/** Real mode code, loaded at 7c00. 600: what the firmware says of a disk; 800: marker sector; 1000: text to say. */
const code = `
  fa 31c0 8ed8 8ec0 8ed0   ; cli; ax = ds = es = ss = 0
  bc007c fb fc             ; mov sp, 7c00; sti; cld
  bf0010 b280              ; mov di, 1000; mov dl, 80
; drive (7c13)
  be0006 c7041a00          ; mov si, 600; mov word [si], 1a
  b448 cd13 7272           ; int 13, 48 (parameters of the drive); jc told
  bed47c b442 cd13 7269    ; mov si, packet; int 13, 42 (read); jc told
  57                       ; push di
  bf0008 bee47c b91000     ; mov di, 800; mov si, magic; mov cx, 16
  f3a6 7412                ; repe cmpsb; je known
  bf0008 bee47c b91000     ; mov di, 800; mov si, magic; mov cx, 16
  f3a4 31c0 b9f800 f3ab    ; rep movsb; xor ax, ax; mov cx, 248; rep stosw
; known (7c49)
  ff061008 5f              ; inc word [810]; pop di
  bed47c b80043 cd13 723a  ; mov si, packet; int 13, 43 (write); jc told
  bef47c e85900            ; mov si, text_disk; call copy
  88d0 e85d00              ; mov al, dl; call hex
  be057d e84e00            ; mov si, text_boots; call copy
  a01108 e85100            ; mov al, [811]; call hex
  a01008 e84b00            ; mov al, [810]; call hex
  be0d7d e83c00            ; mov si, text_sectors; call copy
  bb1306                   ; mov bx, 613
; digits (7c7e)
  8a07 e83d00              ; mov al, [bx]; call hex
  4b 81fb0f06 77f4         ; dec bx; cmp bx, 60f; ja digits
  b80d0a ab                ; mov ax, "\\r\\n"; stosw
  fec2 eb81                ; inc dl; jmp drive
; told (7c92)
  30c0 aa                  ; xor al, al; stosb
; say (7c95)
  be0010                   ; mov si, 1000
; next (7c98)
  ac 84c0 7412             ; lodsb; test al, al; jz wait
  88c4 bafd03              ; mov ah, al; mov dx, 3fd (line status of the first serial port)
; busy (7ca2)
  ec a820 74fb             ; in al, dx; test al, 20; jz busy
  88e0 baf803 ee ebe9      ; mov al, ah; mov dx, 3f8; out dx, al; jmp next
; wait (7caf)
  b91200                   ; mov cx, 18 (ticks: one second)
; tick (7cb2)
  f4 e2fd ebde             ; hlt; loop tick; jmp say
; copy (7cb7): the text at si to di
  ac 84c0 7403 aa ebf8     ; lodsb; test al, al; jz copied; stosb; jmp copy
  c3                       ; copied: ret
; hex (7cc0): al as two digits to di
  50 c0e804 e80300         ; push ax; shr al, 4; call digit
  58 240f                  ; pop ax; and al, 15
; digit (7cca)
  3c0a 7202 0427           ; cmp al, 10; jb decimal; add al, 39
  0430 aa c3               ; decimal: add al, 48; stosb; ret
; packet (7cd4): one sector, at 0:800, from sector 1
  1000 0100 00080000 0100000000000000
`;

const bytesOf = (listing: string): Buffer =>
  Buffer.from(listing.replaceAll(/;.*$/gm, '').replaceAll(/\s+/g, ''), 'hex');

/** The guest's disk: raw, `bytes` long (at least two sectors). */
export const proofGuestImage = (bytes = IMAGE_BYTES): Buffer => {
  const texts = `${proofMarker.text}ovcp-proof disk=\0 boots=\0 sectors=\0`;
  const program = Buffer.concat([bytesOf(code), Buffer.from(texts, 'latin1')]);
  const image = Buffer.alloc(bytes);
  program.copy(image);
  image.writeUInt16LE(0xaa55, SECTOR - 2);
  return image;
};

/** Writes the guest's disk to a file; returns its SHA-256. */
export const writeProofGuest = (path: string): string => {
  const image = proofGuestImage();
  writeFileSync(path, image);
  return createHash('sha256').update(image).digest('hex');
};

export type ProofLine = { disk: number; boots: number; sectors: number };

/** What a proof guest says in this text of its serial port: the newest whole line for each disk. */
export const proofLines = (text: string): ProofLine[] => {
  const lines = [
    ...text.matchAll(/^ovcp-proof disk=([0-9a-f]{2}) boots=([0-9a-f]{4}) sectors=([0-9a-f]{8})\r?$/gm),
  ];
  const byDisk = new Map(
    lines.map(([, disk = '', boots = '', sectors = '']) => {
      const [first, second, third] = [disk, boots, sectors].map((digits) => Number.parseInt(digits, 16));
      return [disk, { disk: first ?? 0, boots: second ?? 0, sectors: third ?? 0 }] as const;
    }),
  );
  return [...byDisk.values()];
};

type Host = {
  virsh(...args: string[]): Promise<string>;
  exec(argv: readonly string[], options: RunOptions): Promise<RunResult>;
};

/**
 * Listens on the serial port of a domain (`<serial type="pty">`) until the proof guest has said a round about `disks`
 * disks. Throws when it has not after `limitMs`.
 */
export const hearProof = async (
  host: Host,
  domain: string,
  disks: number,
  limitMs = 300_000,
): Promise<ProofLine[]> => {
  let heard: ProofLine[] = [];
  const listen = async (): Promise<boolean> => {
    const terminal = (await host.virsh('ttyconsole', domain)).trim();
    // The first line may be half of one.
    const listener = ['timeout', '60', 'sed', '-u', `${disks + 1}q`, terminal];
    heard = proofLines((await host.exec(listener, { allowFailure: true })).stdout);
    return heard.length === disks;
  };
  await waitUntil(`the proof guest on ${domain}`, listen, { limitMs, stepMs: 200 });
  return heard;
};
