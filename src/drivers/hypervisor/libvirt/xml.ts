/** XML through a DOM, both ways: nothing of it is ever concatenated, and what a host sends is taken as hostile. */
import { DOMImplementation, DOMParser, type Document, type Element, XMLSerializer } from '@xmldom/xmldom';
import { Fault } from '../../../runtime/fault.ts';

/** More than any description of one machine, network or volume needs (reliability.md S25). */
const MAX_XML_CHARS = 4 * 1024 * 1024;
const MAX_DEPTH = 64;

/** One element to be; `import` carries one over from another document. */
export interface Piece {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly attributes: Attributes;
  readonly children: readonly Child[];
}
export type Attributes = Readonly<Record<string, string | number | undefined>>;
export type Child = Piece | Element | string | undefined | false;

/** An element with attributes (undefined ones are left out) and children. */
export const el = (name: string, attributes: Attributes = {}, ...children: readonly Child[]): Piece => ({
  name,
  attributes,
  children,
});

/** The same in a namespace of its own. */
export const elNs = (
  namespace: string,
  name: string,
  attributes: Attributes,
  ...children: readonly Child[]
): Piece => ({
  ...el(name, attributes, ...children),
  namespace,
});

const isPiece = (child: Piece | Element): child is Piece => 'attributes' in child && !('nodeType' in child);

/**
 * XML 1.0 section 2.2 without what no name of ours may hold: control characters (line ends would not come back as
 * they went), lone surrogates, U+FFFE and U+FFFF.
 */
const isXmlChar = (code: number): boolean =>
  (code >= 0x20 && code <= 0xd7ff && code !== 0x7f) || (code >= 0xe000 && code <= 0xfffd) || code >= 0x10000;

/** The text itself. Throws Fault `invalid` for characters that XML cannot carry. */
export const xmlText = (text: string): string => {
  for (const char of text) {
    if (!isXmlChar(char.codePointAt(0) ?? 0)) {
      throw new Fault('invalid', 'A name holds a control character, which the host cannot store.', {
        reason: 'InvalidCharacters',
      });
    }
  }
  return text;
};

const fill = (document: Document, piece: Piece): Element => {
  const element =
    piece.namespace === undefined
      ? document.createElement(piece.name)
      : document.createElementNS(piece.namespace, piece.name);
  for (const [name, value] of Object.entries(piece.attributes)) {
    if (value !== undefined) element.setAttribute(name, xmlText(String(value)));
  }
  for (const child of piece.children) {
    if (child === undefined || child === false) continue;
    if (typeof child === 'string') element.appendChild(document.createTextNode(xmlText(child)));
    else element.appendChild(isPiece(child) ? fill(document, child) : document.importNode(child, true));
  }
  return element;
};

/** The document as text. */
export const toXml = (piece: Piece): string => {
  const document = new DOMImplementation().createDocument(null, '');
  document.appendChild(fill(document, piece));
  return new XMLSerializer().serializeToString(document, { requireWellFormed: true });
};

const malformed = (why: string): Fault =>
  new Fault('bug', `The host sent a description that cannot be read: ${why}.`, { reason: 'MalformedAnswer' });

const depthOf = (text: string): number => {
  let depth = 0;
  let deepest = 0;
  for (const [tag, close, , selfClose] of text.matchAll(
    /<(\/?)([A-Za-z_][^\s/>]*)(?:"[^"]*"|'[^']*'|[^'">])*?(\/?)>/g,
  )) {
    if (tag === undefined) continue;
    if (close === '/') depth -= 1;
    else if (selfClose !== '/') depth += 1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
};

/**
 * The root element of what a host sent. Throws Fault `bug` (`MalformedAnswer`) when it is too large or too deep, holds a
 * document type (and so could hold entities), is not well formed, or has another root than expected.
 */
export const parseXml = (text: string, root: string): Element => {
  if (text.length > MAX_XML_CHARS) throw malformed('it is too large');
  if (text.includes('<!DOCTYPE') || text.includes('<!ENTITY')) throw malformed('it holds a document type');
  if (depthOf(text) > MAX_DEPTH) throw malformed('it is nested too deeply');
  let element: Element | null = null;
  try {
    const parser = new DOMParser({
      onError: (level, message) => {
        if (level !== 'warning') throw malformed(message.slice(0, 120));
      },
    });
    element = parser.parseFromString(text, 'text/xml').documentElement;
  } catch (error) {
    throw error instanceof Fault ? error : malformed('it is not well formed');
  }
  if (element?.localName !== root) throw malformed(`its root is not <${root}>`);
  return element;
};

/** Child elements, of one local name when given. */
export const childrenOf = (element: Element | undefined, name?: string): readonly Element[] => {
  const found: Element[] = [];
  for (let node = element?.firstChild ?? null; node !== null; node = node.nextSibling) {
    if (node.nodeType === 1 && (name === undefined || (node as Element).localName === name)) {
      found.push(node as Element);
    }
  }
  return found;
};

/** The first element at a path of local names below `element`. */
export const at = (element: Element | undefined, ...path: readonly string[]): Element | undefined =>
  path.reduce<Element | undefined>((from, name) => childrenOf(from, name)[0], element);

/** Attribute by name; undefined when it is not there. */
export const attribute = (element: Element | undefined, name: string): string | undefined =>
  element?.getAttribute(name) ?? undefined;

/** Text of the element at a path. */
export const textAt = (element: Element | undefined, ...path: readonly string[]): string | undefined =>
  at(element, ...path)?.textContent ?? undefined;

/** A whole number from an attribute or a text; undefined when it is none or beyond what JavaScript counts. */
export const wholeNumber = (text: string | undefined): number | undefined => {
  if (text === undefined || !/^[0-9]{1,16}$/.test(text.trim())) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
};

/** Text of one element and all below it, for steps that hand a device back to the host. */
export const serialize = (element: Element): string =>
  new XMLSerializer().serializeToString(element, { requireWellFormed: true });
