# What the rule of screens.yml finds, and what it lets through.
import reflex as rx


def found(name):
    return rx.fragment(
        # ruleid: markup-that-is-not-escaped
        rx.html(f"<b>{name}</b>"),
        # ruleid: markup-that-is-not-escaped
        rx.script("alert(1)"),
        # ruleid: markup-that-is-not-escaped
        rx.el.script("alert(1)"),
        # ruleid: markup-that-is-not-escaped
        rx.el.div(class_name="about", dangerously_set_inner_html={"__html": name}),
        # ruleid: markup-that-is-not-escaped
        rx.el.div(custom_attrs={"dangerouslySetInnerHTML": {"__html": name}}),
        # ruleid: markup-that-is-not-escaped
        rx.button("Copy", on_click=rx.call_script(f"copy('{name}')")),
    )


def let_through(name):
    # ok: markup-that-is-not-escaped
    return rx.el.div(rx.el.p(name), rx.el.script(src="/week_grid.js"), title=name, custom_attrs={"data-name": name})
