// A component that uses the hook, without JSX so that it runs as it is.

import { createElement as h, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { useConnect } from "./use-connect.js";

function Banks({ options }) {
  const { place, connections, step, problem, open, cancel, retry } = useConnect(options);
  return h("main", null,
    h("h1", null, "Your banks"),
    h("ul", null, connections.map((each) => h("li", { key: each.connectionId },
      each.message.en,
      each.action === "reconnect" && h("button", { onClick: () => open({ reconnect: each }) }, "Connect again")))),
    problem && h("p", { role: "alert" }, problem.detail ?? "The service does not answer.",
      h("button", { onClick: retry }, "Try again")),
    step ? h("button", { onClick: cancel }, "Cancel") : h("button", { onClick: open }, "Connect a bank account"),
    h("div", { ref: place, className: "bank" }));
}

const { apiUrl } = await (await fetch("/config.json")).json(); // yours: write it here
const getToken = async () => (await fetch("/token?as=alice")).text(); // yours: ask your own backend
const options = { apiUrl, getToken, session: { language: "en" } };
createRoot(document.getElementById("root")).render(h(StrictMode, null, h(Banks, { options })));
