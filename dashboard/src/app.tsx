/** The page as a whole. */
import { useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { repaintAll } from "./chart/linked";
import { Projects } from "./pages/projects";
import { Workspace } from "./pages/workspace";
import { go, route } from "./state/location";
import { project } from "./state/project";
import { rememberSettings } from "./state/settings";
import { areKeysShown, isPaletteOpen, pageLink } from "./state/shell";
import { applyTheme, toggleTheme } from "./state/theme";
import { Missing, MissingProject } from "./ui/parts/empty";
import { useKeys } from "./ui/parts/keys";
import { Later, later } from "./ui/parts/later";
import { toast } from "./ui/parts/say";
import { Palette } from "./ui/shell/palette";
import { Shortcuts } from "./ui/shell/shortcuts";
import { TopBar } from "./ui/shell/topbar";

// What the first page does not need comes after it.
const tablePage = later(async () => (await import("./pages/table")).TablePage);
const comparePage = later(async () => (await import("./pages/compare/page")).Compare);
const runPage = later(async () => (await import("./pages/run/page")).RunPage);

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
  const { page, run, tab, project: name } = route.value;
  const now = project.value;
  if (page === "missing")
    return (
      <Missing
        what="There is no such page"
        link={now ? [pageLink(now.name, "workspace"), `The workspace of ${name}`] : ["/", "All projects"]}
      />
    );
  if (now?.isMissing.value) return <MissingProject project={now.name} />;
  if (!now || page === "projects") return <Projects />;
  if (page === "table") return <Later of={tablePage} key={now.name} project={now} />;
  if (page === "compare") return <Later of={comparePage} key={now.name} project={now} />;
  if (page === "run") return <Later of={runPage} key={`${now.name}\n${run}`} project={now} id={run} tab={tab} />;
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
