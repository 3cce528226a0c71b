//! Both ends over a wire that loses, delays and repeats.

use super::world::World;
use super::*;
use proptest::prelude::*;

/// What can happen next.
#[derive(Clone, Debug)]
enum Step {
    Up,
    Down,
    Repeat,
    Answer,
    Feed,
    Emit(usize),
    End(usize),
    Submit,
    FollowTheirs,
    Connect,
    Cut,
    Forget,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => Just(Step::Up),
        12 => Just(Step::Down),
        2 => Just(Step::Repeat),
        10 => Just(Step::Answer),
        10 => Just(Step::Feed),
        8 => (0..4_usize).prop_map(Step::Emit),
        1 => (0..4_usize).prop_map(Step::End),
        3 => Just(Step::Submit),
        1 => Just(Step::FollowTheirs),
        6 => Just(Step::Connect),
        2 => Just(Step::Cut),
        1 => Just(Step::Forget),
        2 => (0..40_000_u64).prop_map(Step::Wait),
    ]
}

fn play(steps: Vec<Step>) -> (World, Vec<AskId>) {
    let mut world = World::new();
    let mut asked = vec![];
    let mut follows_theirs = false;
    for step in steps {
        match step {
            Step::Up => world.deliver_up(),
            Step::Down => world.deliver_down(),
            Step::Repeat => world.repeat_down(),
            Step::Answer => world.answer(),
            Step::Feed => world.feed(),
            Step::Emit(place) => world.emit(place, false),
            Step::End(place) => world.emit(place, true),
            Step::Submit => asked.push(world.ask(submission(asked.len() as u64))),
            Step::FollowTheirs if follows_theirs => {}
            Step::FollowTheirs => {
                follows_theirs = true;
                let job_id = "job_theirs".to_owned();
                asked.push(world.ask(Ask::Subscribe { job_id, is_from_start: true }));
            }
            Step::Connect => world.connect(),
            Step::Cut => world.cut(),
            Step::Forget => world.forget(),
            Step::Wait(millis) => world.wait(millis),
        }
    }
    world.settle();
    (world, asked)
}

fn assert_all_heard(world: &World, asked: &[AskId]) {
    assert_eq!(world.losses, [""; 0]);
    let mut answered: Vec<AskId> = world.answers.iter().map(|(id, _)| *id).collect();
    answered.sort_unstable();
    assert_eq!(answered, asked, "each ask is answered once");
    let mut jobs: Vec<&String> = vec![];
    for (_, answer) in &world.answers {
        jobs.push(answer.as_ref().unwrap());
    }
    for job in jobs {
        let heard = world.heard.get(job).cloned().unwrap_or_default();
        assert_eq!(heard, world.said(job), "{job}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn what_was_told_is_heard_once_and_in_order(
        steps in proptest::collection::vec(step(), 0..250),
    ) {
        let (world, asked) = play(steps);
        assert_all_heard(&world, &asked);
    }
}

/// The same work with the wire cut after each of its steps in turn.
#[test]
fn a_cut_at_any_message_loses_nothing() {
    let work = || {
        let mut steps = vec![Step::Connect, Step::Submit, Step::FollowTheirs, Step::Submit];
        for place in 0..30 {
            steps.extend([Step::Up, Step::Answer, Step::Down, Step::Feed, Step::Emit(place)]);
            steps.extend([Step::Down, Step::Down]);
            if place == 20 {
                steps.push(Step::End(1));
            }
        }
        steps
    };
    for lost in [Step::Cut, Step::Forget] {
        for place in 0..work().len() {
            let mut steps = work();
            steps.splice(place..place, [lost.clone(), Step::Connect]);
            let (world, asked) = play(steps);
            assert_all_heard(&world, &asked);
        }
    }
}
