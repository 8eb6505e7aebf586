// A React hook on top of connect.js. It holds in StrictMode, which mounts, unmounts and mounts again.

import { useCallback, useEffect, useRef, useState } from "react";
import { Connect } from "../../connect.js";

/**
 * `place` is the ref of the element that holds Connect; `connections` are the caller's, newest first; `step` is where
 * the person is in Connect, or null; `problem` is what went wrong last, with `retry`. `options` are those of Connect,
 * as they are at the first mount.
 */
export function useConnect(options) {
  const place = useRef(null);
  const connect = useRef(null);
  const first = useRef(options);
  const [known, setKnown] = useState(new Map());
  const [step, setStep] = useState(null);
  const [failure, setFailure] = useState(null);

  useEffect(() => {
    const element = place.current;
    const ends = ["REDIRECT", "COMPONENT_CLOSE_SESSION", "TOKEN_INVALID"];
    const ears = {
      "connection:status": ({ detail }) => setKnown((all) => new Map(all).set(detail.connectionId, detail)),
      "connect:step": ({ detail }) => setStep(ends.includes(detail.step) ? null : detail.step),
      "connect:error": ({ detail }) => setFailure(detail),
    };
    for (const [name, hear] of Object.entries(ears)) element.addEventListener(name, hear);
    connect.current = new Connect(element, first.current);
    connect.current.resume();
    return () => {
      connect.current.close();
      for (const [name, hear] of Object.entries(ears)) element.removeEventListener(name, hear);
    };
  }, []);

  const open = useCallback((session) => {
    setFailure(null);
    return connect.current.open(session);
  }, []);
  const cancel = useCallback(() => {
    setStep(null);
    connect.current.cancel();
  }, []);
  const retry = useCallback(() => {
    setFailure(null);
    return failure?.retry();
  }, [failure]);

  const connections = [...known.values()].sort((one, other) => other.updatedAt.localeCompare(one.updatedAt));
  return { place, connections, step, problem: failure?.problem ?? null, open, cancel, retry };
}
