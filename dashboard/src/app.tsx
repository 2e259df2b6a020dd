/** The page as a whole. */
import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { repaintAll } from "./chart/chart";
import { go, route } from "./state/location";
import { Compare } from "./pages/compare";
import { Projects } from "./pages/projects";
import { RunPage } from "./pages/run/page";
import { TablePage } from "./pages/table";
import { Workspace } from "./pages/workspace";
import { project } from "./state/project";
import { rememberSettings } from "./state/settings";
import { applyTheme, toggleTheme } from "./state/theme";
import { useKeys } from "./ui/keys";
import { areKeysShown, isPaletteOpen, Palette } from "./ui/palette";
import { toast } from "./ui/say";
import { Shortcuts } from "./ui/shortcuts";
import { pageLink, TopBar } from "./ui/topbar";

export function App(): JSX.Element {
  useSignalEffect(() => {
    applyTheme();
    repaintAll();
  });
  useSignalEffect(rememberSettings);
  useSignalEffect(() => {
    const { project: name, page, run } = route.value;
    document.title = [page === "run" ? run : "", name, "Goodseed"].filter(Boolean).join(" · ");
  });
  const to = (page: "workspace" | "table" | "compare") => () => {
    if (project.peek()) go(pageLink(project.peek()!.name, page));
  };
  useKeys({
    "/": () => document.getElementById("run-filter")?.focus(),
    "?": () => (areKeysShown.value = true),
    t: toggleTheme,
    "1": to("workspace"),
    "2": to("table"),
    "3": to("compare"),
    c: to("compare"),
    Escape: () => (document.activeElement as HTMLElement | null)?.blur(),
  });
  return (
    <>
      <TopBar />
      <div>
        {project.value?.isOffline.value && (
          <div class="offline">The server can't be reached. This page goes on as soon as it is there.</div>
        )}
      </div>
      <CurrentPage />
      <Palette />
      <Shortcuts />
      <Toasts />
    </>
  );
}

function CurrentPage(): JSX.Element {
  const { page, run, tab } = route.value;
  const now = project.value;
  if (!now || page === "projects") return <Projects />;
  if (page === "table") return <TablePage key={now.name} project={now} />;
  if (page === "compare") return <Compare key={now.name} project={now} />;
  if (page === "run") return <RunPage key={`${now.name}\n${run}`} project={now} id={run} tab={tab} />;
  return <Workspace key={now.name} project={now} />;
}

function Toasts(): JSX.Element {
  const now = toast.value;
  return (
    <div role="status">
      {now && (
        <div class="toast">
          {now.text}
          {now.action && (
            <button
              type="button"
              onClick={() => {
                now.action![1]();
                toast.value = null;
              }}
            >
              {now.action[0]}
            </button>
          )}
        </div>
      )}
    </div>
  );
}

addEventListener("keydown", (event) => {
  if ((event.metaKey || event.ctrlKey) && event.key === "k") {
    event.preventDefault();
    isPaletteOpen.value = !isPaletteOpen.value;
  }
});
