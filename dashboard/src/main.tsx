import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/index.css";
import { App } from "./app";
import { followLinks } from "./state/location";
import { applyTheme } from "./state/theme";

applyTheme();
document.addEventListener("click", followLinks);
render(<App />, document.getElementById("app")!);
