/**
 * Parses texts that mostly come again: what each of the last thousand or so said is kept by the
 * text itself. That is no memory of what AWS has, which is read each time: the same text means the
 * same, whoever wrote it and when. What is answered is shared, and so for reading only.
 */
export function parsedOnce<T>(parse: (text: string) => T, most = 1_000): (text: string) => T {
  const known = new Map<string, T>()
  return (text) => {
    const found = known.get(text)
    if (found !== undefined) return found
    const parsed = parse(text)
    const [oldest] = known.size < most ? [] : known.keys()
    if (oldest !== undefined) known.delete(oldest)
    known.set(text, parsed)
    return parsed
  }
}
