//! How often each thing that laws speak of has happened: a law of nothing holds for nothing.

macro_rules! counted {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened in a life, or in many.
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct Tally {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Tally {
            /// Adds another life's.
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)*
            }

            /// What never happened.
            pub fn missing(&self) -> Vec<&'static str> {
                let counts = [$((stringify!($name), self.$name),)*];
                counts.into_iter().filter(|(_, count)| *count == 0).map(|(name, _)| name).collect()
            }
        }
    };
}

pub(crate) use counted;
