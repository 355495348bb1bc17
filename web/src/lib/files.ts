// The bytes of files: sent with progress, fetched with the token. fetch() tells
// nothing of an upload on its way, so that one is an XMLHttpRequest.

import { Problem, decode, toProblem } from './api';

/** The most a file may have; the server refuses more. */
export const limitBytes = 25 * 1024 * 1024;

/** What the file chooser offers. Telephones offer their camera, and give JPEG where they would keep another kind. */
export const accepted = 'image/jpeg,image/png,image/gif,image/webp,application/pdf,text/plain,text/csv,.txt,.csv,.docx,.xlsx,.pptx,.odt,.ods,.odp,.zip,.mp3,.wav,.ogg,.m4a,.mp4,.mov,.webm';

export interface SendOptions {
  token: string;
  idempotencyKey: string;
  signal: AbortSignal;
  /** From 0 to 1; at 1 the server looks at what came. */
  onProgress(part: number): void;
}

/** Longer than the server waits. */
const patienceMs = 200_000;

/** sendFile posts the bytes. It rejects with a Problem, or with the signal's reason. */
export function sendFile<T>(path: string, file: Blob, { token, idempotencyKey, signal, onProgress }: SendOptions): Promise<T> {
  return new Promise((done, failed) => {
    if (signal.aborted) return failed(signal.reason);
    const request = new XMLHttpRequest();
    const stop = () => request.abort();
    signal.addEventListener('abort', stop);
    request.open('POST', path);
    request.timeout = patienceMs;
    request.setRequestHeader('Authorization', `Bearer ${token}`);
    request.setRequestHeader('Idempotency-Key', idempotencyKey);
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.upload.onload = () => onProgress(1);
    request.onloadend = () => {
      signal.removeEventListener('abort', stop);
      if (signal.aborted) return failed(signal.reason);
      if (request.status === 0) return failed(new Problem('offline', 'The server cannot be reached.', 0));
      const body = decode(request.responseText);
      if (request.status < 300) done(body as T);
      else failed(toProblem(request.status, body));
    };
    request.send(file);
  });
}

/** fetchFile gives the bytes. It rejects with a Problem. */
export async function fetchFile(path: string, token: string): Promise<Blob> {
  let answer: Response;
  try {
    answer = await fetch(path, { headers: { Authorization: `Bearer ${token}` }, credentials: 'omit', cache: 'no-store' });
    if (answer.ok) return await answer.blob();
  } catch {
    throw new Problem('offline', 'The server cannot be reached.', 0);
  }
  throw toProblem(answer.status, decode(await answer.text()));
}

/** save puts bytes into the person's downloads. */
export function save(blob: Blob, name: string): void {
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // some browsers read it later
}
